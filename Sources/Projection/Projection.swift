public import HotPath
public import Ledger
public import Logging
import Wire

/// Carries the events of the stream into the books.
///
/// How it works, one straight line: read → decode → apply and commit → acknowledge → trim.  Commit
/// comes before acknowledge: a crash between them repeats a batch, which changes nothing, and never
/// loses one.  After any failure the line starts again from the entries that this consumer has not
/// acknowledged, so that nothing needs to be remembered here.
///
/// One thread at a time; `run` keeps the thread until it is told to stop.
public final class Projection {
  /// What can be set.
  public struct Settings: Sendable {
    /// Where the stream is.
    public var redis: RedisAddress
    /// Where the books are.
    public var database: DatabaseAddress
    /// Who reads.  The same name after a restart finds its own pending entries.
    public var name: String
    /// The keys of the partition.
    public var keys = KeySpace()
    /// Groups that trimming waits for.
    public var groups = [KeySpace.group]
    /// Bytes of events in one transaction, about.
    public var batchBytes = ProjectionLimits.batchBytesDefault
    /// Milliseconds after which another consumer's entries are taken over.
    public var reclaimAfterMs = ProjectionLimits.reclaimAfterMsDefault
    /// Milliseconds for which applied entries stay in the stream.
    public var trimWindowMs = ProjectionLimits.trimWindowMsDefault

    /// Settings with the defaults.
    public init(redis: RedisAddress, database: DatabaseAddress, name: String) {
      (self.redis, self.database, self.name) = (redis, database, name)
    }
  }

  private let settings: Settings
  private let logger: Logger
  private let stop: StopFlag
  private let ready: () -> Void
  private let arena = Arena()
  private let trimming: Trimming

  private var database: Postgres?
  private var backoff = Backoff()
  private var outage = Outage()
  private var isReady = false
  private var entriesNext = ProjectionLimits.batchEntriesFirst
  private var reclaim: Cadence
  private var trim: Cadence
  private var strangers: Set<String> = []
  private var missing: Set<String> = []

  /// A projection that `stop` will end.
  /// - Parameter ready: called once, when tables and group have been found or made.
  public init(
    _ settings: Settings, stop: StopFlag, logger: Logger, ready: @escaping () -> Void = {}
  ) {
    self.ready = ready
    self.settings = settings
    self.stop = stop
    self.logger = logger
    trimming = Trimming(groups: settings.groups, windowMs: settings.trimWindowMs)
    reclaim = Cadence(
      everyMs: min(ProjectionLimits.reclaimEveryMs, max(50, settings.reclaimAfterMs / 4)))
    trim = Cadence(everyMs: min(ProjectionLimits.trimEveryMs, max(50, settings.trimWindowMs / 4)))
  }

  /// Applies events until `stop` is raised, and then ends after the batch at hand.  While a store is
  /// away it keeps trying.
  /// - Throws: `MigrationError` only, when the database belongs to a newer program.
  public func run() throws {
    while !stop.isRaised {
      do {
        try follow()
      } catch let error as MigrationError {
        throw error
      } catch {
        failed(error)
        stop.sleep(ms: backoff.next())
      }
    }
  }

  /// From connecting to the first failure, or to the stop.
  private func follow() throws {
    let books = Ledger(in: try connectedDatabase())
    let stream = try connectedStream()
    if !isReady {
      isReady = true
      logger.notice("ready", metadata: ["name": "\(settings.name)"])
      ready()
    }

    while !stop.isRaised {
      let own = try stream.readPending(entriesMax: entriesNext)
      if own.isEmpty { break }
      try take(own, from: stream, into: books)
    }
    while !stop.isRaised {
      if reclaim.isDue() { try takeOver(from: stream, into: books) }
      if trim.isDue() { try removeOldEntries(of: stream) }
      let news = try stream.readNew(entriesMax: entriesNext, blockMs: ProjectionLimits.blockMs)
      try take(news, from: stream, into: books)
      works()
    }
  }

  // MARK: the line

  private func take(
    _ entries: [StreamEntry], from stream: EventStream, into books: Ledger
  ) throws {
    guard !entries.isEmpty else { return }
    for entry in entries where entry.isDeleted {
      logger.error(
        "an entry was deleted from the stream before it was applied",
        metadata: ["entry": "\(entry.id)"])
    }
    var batch = DecodedBatch(entries, arena: arena)
    let outcome = try books.apply(batch.events)
    for dead in outcome.dead { batch.bury(dead) }
    // From here on the books hold every event of the batch that can be applied.
    try stream.acknowledge(batch.whole)
    for (entry, letters) in batch.torn {
      try stream.bury(letters, of: entry)
      for letter in letters {
        logger.error(
          "an event cannot be applied: written to \(settings.keys.deadEvents)",
          metadata: [
            "event": "\(letter.id)", "type": "\(letter.type)", "reason": "\(letter.reason)",
          ])
      }
    }
    measure(entries)
    logger.debug(
      "batch applied",
      metadata: [
        "entries": "\(entries.count)", "applied": "\(outcome.applied)",
        "repeated": "\(outcome.repeated)", "last": "\(entries.last!.id)",
      ])
    works()
  }

  /// How many entries fit the next batch, if they are as large as these.
  private func measure(_ entries: [StreamEntry]) {
    let bytes = entries.reduce(0) { $0 + $1.byteCount }
    let average = max(1, bytes / entries.count)
    entriesNext = min(max(1, settings.batchBytes / average), ProjectionLimits.batchEntriesMax)
  }

  private func takeOver(from stream: EventStream, into books: Ledger) throws {
    var next: StreamID? = StreamID(ms: 0, sequence: 0)
    while let start = next, !stop.isRaised {
      let claimed = try stream.claim(
        idleMs: settings.reclaimAfterMs, from: start, entriesMax: entriesNext)
      if !claimed.entries.isEmpty {
        logger.notice(
          "taking over entries that were not acknowledged",
          metadata: ["entries": "\(claimed.entries.count)"])
      }
      try take(claimed.entries, from: stream, into: books)
      next = claimed.next
    }
  }

  private func removeOldEntries(of stream: EventStream) throws {
    let verdict = try trimming.judge(stream)
    for name in verdict.strangers where strangers.insert(name).inserted {
      logger.warning(
        "a group that trimming does not wait for reads the stream", metadata: ["group": "\(name)"])
    }
    for name in verdict.missing where missing.insert(name).inserted {
      logger.warning(
        "the stream is not trimmed: a group that trimming waits for does not exist",
        metadata: ["group": "\(name)"])
    }
    missing.formIntersection(verdict.missing)
    guard let floor = verdict.floor else { return }
    var removed = 0
    repeat {
      removed = try stream.trim(before: floor, entriesMax: ProjectionLimits.trimEntriesMax)
    } while removed > 0 && !stop.isRaised
  }

  // MARK: the stores

  private func connectedDatabase() throws -> Postgres {
    if let database { return database }
    let made = try Postgres(settings.database, name: "stockworker \(settings.name)")
    try made.migrate()
    database = made
    return made
  }

  private func connectedStream() throws -> EventStream {
    let stream = try EventStream(
      at: settings.redis, keys: settings.keys, consumer: settings.name)
    try stream.makeGroup()
    return stream
  }

  private func works() {
    backoff.reset()
    outage.ended("events are applied again", logger)
  }

  private func failed(_ error: any Error) {
    if let error = error as? PostgresError {
      if case .lost = error { database = nil }
      outage.began("postgresql cannot take events", error.description, logger)
    } else {
      outage.began("redis cannot give events", "\(error)", logger)
    }
  }
}
