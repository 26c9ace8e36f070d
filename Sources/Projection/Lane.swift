import Glibc
import HotPath
import Ledger
import Logging
import Wire

/// One straight line from the stream to the books: read → decode → apply and commit → acknowledge.
///
/// Commit comes before acknowledge: a crash between them repeats a batch, which changes nothing, and
/// never loses one.  After any failure the line starts again from the entries that this consumer has
/// not acknowledged, so that nothing needs to be remembered here.
///
/// One thread at a time; `run` keeps the thread until the flag is raised.
final class Lane {
  private let settings: Projection.Settings
  private let consumer: String
  private let logger: Logger
  private let stop: StopFlag
  private let progress: Progress
  private let number: Int
  private let ready: () -> Void
  private let arena = Arena()

  private var database: Postgres?
  private var hasWarned = false
  /// Whether health is told of something.
  private var hasTrouble = false
  private var backoff = Backoff()
  private var outage = Outage()
  private var attempts = Attempts()
  private var batchBytes: Int
  private var reclaim: Cadence

  init(
    _ settings: Projection.Settings, number: Int, stop: StopFlag, progress: Progress,
    logger: Logger, ready: @escaping () -> Void
  ) {
    self.settings = settings
    self.number = number
    self.stop = stop
    self.progress = progress
    self.ready = ready
    consumer = settings.consumer(of: number)
    var logger = logger
    logger[metadataKey: "lane"] = "\(number + 1)"
    self.logger = logger
    batchBytes = settings.batchBytes
    reclaim = Cadence(
      everyMs: min(ProjectionLimits.reclaimEveryMs, max(50, settings.reclaimAfterMs / 4)))
  }

  func run() throws(MigrationError) {
    defer { progress.pulse.end(of: name) }
    while !stop.isRaised {
      moves()
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
    let database = try connectedDatabase()
    let stream = try EventStream(at: settings.redis, keys: settings.keys, consumer: consumer)
    let books = Ledger(in: database, from: try stream.identity().name)
    try stream.makeGroup()
    ready()
    // Until the books have opened this Redis it may be another's.  Asked again each time, so that a Redis
    // which has ended is noticed.
    while try !database.takesEvents(of: try stream.identity().name), !stop.isRaised {
      moves()
      stop.sleep(ms: ProjectionLimits.openerEveryMs)
    }
    var own = Cadence(everyMs: ProjectionLimits.ownEveryMs)
    while !stop.isRaised {
      if own.isDue() { try takeOwn(from: stream, into: books) }
      if reclaim.isDue() { try takeOver(from: stream, into: books) }
      let news = try stream.readNew(
        bytesMax: batchBytes, blockMs: ProjectionLimits.blockMs)
      try take(news, from: stream, into: books)
      works()
      gather(after: news)
    }
    if try !stream.leave() {
      logger.notice("entries stay with this name until it comes back, or another takes them over")
    }
  }

  /// Lets events gather for the next transaction, unless enough wait for it already, or the one event
  /// that there was came at a quiet moment: somebody may wait for it.
  ///
  /// A transaction of few events costs PostgreSQL nearly as much as one of many, and syncs the disk for
  /// which the sale waits.  ARCHITECTURE.md, decision 45, has the figures.
  private func gather(after news: [StreamEntry]) {
    let isFull =
      news.count >= EventStream.readEntriesMax
      || news.reduce(0) { $0 + $1.byteCount } >= batchBytes
    let events = news.reduce(0) { $0 + $1.events.count }
    guard events > 1, !isFull else { return }
    moves(waitMs: settings.gatherMs)
    stop.sleep(ms: settings.gatherMs)
  }

  // MARK: the line

  /// What was handed out before, and not acknowledged.
  ///
  /// Between two batches that is nothing, unless somebody else has read under this lane's name: a
  /// connection that a partition has cut, and of which Redis did not know yet that nobody listens.  A
  /// command on its way there is carried out when the network is back, after the lane has connected
  /// anew, so looking once does not suffice, nor would ending the old connection when making the new:
  /// of a process that died meanwhile nobody knows which it was.
  private func takeOwn(from stream: EventStream, into books: Ledger) throws {
    var last: StreamID?
    while !stop.isRaised {
      moves()
      let own = try stream.readPending(after: last, bytesMax: batchBytes)
      guard let end = own.last else { return }
      try take(own, from: stream, into: books, again: true)
      last = end.id
    }
  }

  /// Another consumer's entries that have not been acknowledged for too long.
  private func takeOver(from stream: EventStream, into books: Ledger) throws {
    var next: StreamID? = StreamID(ms: 0, sequence: 0)
    while let start = next, !stop.isRaised {
      moves()
      let claimed = try stream.claim(
        idleMs: settings.reclaimAfterMs, from: start,
        entriesMax: ProjectionLimits.reclaimEntriesMax)
      if !claimed.entries.isEmpty {
        logger.notice(
          "taking over entries that were not acknowledged",
          metadata: ["entries": "\(claimed.entries.count)"])
      }
      try take(claimed.entries, from: stream, into: books, again: true)
      next = claimed.next
    }
  }

  /// Applies entries and acknowledges them, about `batchBytes` at a time.
  /// - Parameter again: they were handed out before.
  private func take(
    _ entries: [StreamEntry], from stream: EventStream, into books: Ledger, again: Bool = false
  ) throws {
    var rest = entries[...]
    while !rest.isEmpty {
      var bytes = 0
      let part = rest.prefix { entry in
        defer { bytes += entry.byteCount }
        return bytes < batchBytes
      }
      rest.removeFirst(part.count)
      if again {
        try takeAgain(Array(part), from: stream, into: books)
      } else {
        try takeBatch(Array(part), from: stream, into: books)
      }
      works()
    }
  }

  private func takeBatch(
    _ entries: [StreamEntry], from stream: EventStream, into books: Ledger
  ) throws {
    for entry in entries where entry.isDeleted {
      logger.error(
        "an entry was deleted from the stream before it was applied",
        metadata: ["entry": "\(entry.id)"])
    }
    var batch = DecodedBatch(entries, arena: arena, nowMs: wallMs())
    let outcome = try books.apply(batch.events)
    try settle(outcome.dead, in: &batch, of: books)
    try finish(batch, of: stream)
    logger.debug(
      "batch applied",
      metadata: [
        "entries": "\(entries.count)", "applied": "\(outcome.applied)",
        "repeated": "\(outcome.repeated)", "last": "\(entries.last!.id)",
      ])
  }

  /// Acknowledges a batch: the books hold every event of it that can be applied.
  private func finish(_ batch: DecodedBatch, of stream: EventStream) throws {
    try stream.acknowledge(batch.whole)
    for (entry, letters) in batch.torn {
      try stream.bury(letters, of: entry)
      for letter in letters {
        logger.error(
          "an event cannot be applied: written to \(settings.keys.deadEvents)",
          metadata: [
            "event": "\(letter.id)", "type": "\(letter.type)", "reason": "\(letter.reason)",
            "attempts": "\(letter.attempts)",
          ])
      }
    }
  }

  // MARK: what a worker may have ended over

  /// Entries that were handed out before, together; those over which a worker has ended since, alone.
  private func takeAgain(
    _ entries: [StreamEntry], from stream: EventStream, into books: Ledger
  ) throws {
    let trials = Trials(of: stream)
    let ends = try trials.ends(under: entries.map { Trials.mark(of: $0) })
    let together = zip(entries, ends).filter { $1 == 0 }.map(\.0)
    if !together.isEmpty {
      try trials.run(together.map { Trials.mark(of: $0) }, together.map { _ in 0 }) {
        try takeBatch(together, from: stream, into: books)
      }
    }
    for (entry, ends) in zip(entries, ends) where ends > 0 && !stop.isRaised {
      try takeAlone(entry, trials, from: stream, into: books)
      works()
    }
  }

  /// Event by event, each under a mark of its own.
  private func takeAlone(
    _ entry: StreamEntry, _ trials: Trials, from stream: EventStream, into books: Ledger
  ) throws {
    let marks = entry.events.indices.map { Trials.mark(of: entry, $0) }
    let ends = try trials.ends(under: marks)
    var batch = try read(entry, trials)
    for place in batch.events.indices {
      if ends[place] >= ProjectionLimits.endsMax {
        batch.bury(
          place, reason: "the worker has ended whenever it applied this", record(ends[place]))
      } else {
        try trials.run([marks[place]], [ends[place]]) {
          let outcome = try books.apply([batch.events[place]])
          try settle(outcome.dead.map { $0.moved(to: place) }, in: &batch, of: books)
        }
      }
    }
    try finish(batch, of: stream)
    try trials.forget(entry)
    logger.notice(
      "an entry over which a worker has ended is applied, event by event",
      metadata: ["entry": "\(entry.id)"])
  }

  private func read(_ entry: StreamEntry, _ trials: Trials) throws -> DecodedBatch {
    let mark = Trials.markOfReading(entry)
    let ends = try trials.ends(under: [mark])
    guard ends[0] < ProjectionLimits.endsMax else {
      return DecodedBatch(
        unread: entry, reason: "the worker has ended whenever it read this entry", record(ends[0]))
    }
    var batch: DecodedBatch?
    try trials.run([mark], ends) { batch = DecodedBatch([entry], arena: arena, nowMs: wallMs()) }
    return batch!
  }

  private func record(_ count: Int) -> Attempts.Record {
    Attempts.Record(count: count, firstMs: wallMs(), lastMs: wallMs())
  }

  /// Tries what the tables have refused again, with waits between, until it is applied or dead.
  private func settle(
    _ refused: [Ledger.Dead], in batch: inout DecodedBatch, of books: Ledger
  ) throws {
    var refused = refused
    while !refused.isEmpty {
      var places: [Int] = []
      for dead in refused {
        let event = batch.events[dead.place].event.id
        let record = attempts.count(event, nowMs: wallMs())
        if dead.isFinal || record.count >= ProjectionLimits.attemptsMax {
          batch.bury(dead.place, reason: dead.reason, record)
          attempts.forget(event)
        } else {
          places.append(dead.place)
        }
      }
      guard !places.isEmpty else { return }
      stop.sleep(ms: backoff.next())
      let outcome = try books.apply(places.map { batch.events[$0] })
      refused = outcome.dead.map { $0.moved(to: places[$0.place]) }
      let left = Set(refused.map(\.place))
      for place in places where !left.contains(place) {
        attempts.forget(batch.events[place].event.id)
      }
    }
  }

  // MARK: the stores

  private func connectedDatabase() throws -> Postgres {
    if let database { return database }
    let made = try Postgres(
      settings.database, name: "stockworker \(consumer)", limits: settings.limits)
    made.waits = { [progress, name] in progress.pulse.beat(of: name, waitMs: UInt64($0)) }
    try made.migrate()
    try warn(of: made)
    database = made
    return made
  }

  private func warn(of database: Postgres) throws {
    guard !hasWarned else { return }
    let missing = try database.missingDurability()
    hasWarned = true
    guard !missing.isEmpty else { return }
    logger.warning(
      "a crash of postgresql can lose what it has been given",
      metadata: ["off": "\(missing.joined(separator: ","))"])
  }

  private var name: String { "lane \(number + 1)" }

  /// The line is not stuck.
  /// - Parameter waitMs: for how long it is about to wait, in milliseconds.
  private func moves(waitMs: UInt64 = 0) { progress.pulse.beat(of: name, waitMs: waitMs) }

  private func works() {
    moves()
    if hasTrouble { progress.update { $0.troubles[number] = nil } }
    hasTrouble = false
    backoff.reset()
    batchBytes = min(batchBytes * 2, settings.batchBytes)
    outage.ended("events are applied again", logger)
  }

  private func failed(_ error: any Error) {
    if let error = error as? PostgresError, error.isOfAnotherRedis {
      outage.began("the events of this redis are not taken", error.description, logger)
    } else if let error = error as? PostgresError {
      // A new connection finds out whether the tables are still those that this program knows.
      database = nil
      // What was too much to do in time may be possible in halves.
      batchBytes = max(batchBytes / 2, min(ProjectionLimits.batchBytesMin, settings.batchBytes))
      outage.began("postgresql cannot take events", error.description, logger)
    } else {
      outage.began("redis cannot give events", "\(error)", logger)
    }
    hasTrouble = true
    let trouble = Progress.Trouble(isOfBooks: error is PostgresError, reason: "\(error)")
    progress.update { $0.troubles[number] = trouble }
  }

  /// Milliseconds since 1970 by this machine's clock, for people: nothing is decided by it.
  private func wallMs() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
  }
}
