import HotPath
import Ledger
import Logging

/// Opens Redis to the sale, one process of it at a time, and keeps it open.
///
/// How it works.  A process of Redis is opened when the books know nothing that it does not know, when no
/// writer objects, and when the process that was opened before cannot sell any more; the books name it in
/// one transaction, and then it is told.  Where a replica could take its place it may sell for as long as
/// it has been told, by its own clock, and is told again every second, each time after the books have
/// confirmed that it is still the one.  Where there is none, an opening does not end by itself.
///
/// Any number of workers may do so at once, each with whichever Redis it sees.  While PostgreSQL is away
/// nothing is opened and nothing renewed.  Where the books are another shop's, or nobody's, it says so and
/// neither opens nor closes: a worker with a wrong address does not end a sale that is none of its own.
///
/// One thread at a time; `run` keeps the thread until the flag is raised.
final class Opener {
  private let settings: Projection.Settings
  private let logger: Logger
  private let stop: StopFlag
  private let progress: Progress
  private var database: Postgres?
  /// For what must not take long: a server that is silent is given up while there is still time.
  private var confirming: Postgres?
  private var backoff = Backoff()
  private var outage = Outage()
  private var refusals: Refusals
  private var renewal = Cadence(everyMs: ProjectionLimits.renewEveryMs)

  init(
    _ settings: Projection.Settings, stop: StopFlag, progress: Progress, logger: Logger
  ) {
    self.settings = settings
    self.stop = stop
    self.progress = progress
    self.logger = logger
    refusals = Refusals(progress, logger)
  }

  func run() {
    defer { progress.pulse.end(of: Self.name) }
    while !stop.isRaised {
      moves()
      do {
        try follow()
      } catch {
        // The lanes tell the log which store is away.
        if let error = error as? PostgresError, error.isOfConnection {
          (database, confirming) = (nil, nil)
        }
        outage.began("redis cannot be compared with the books", "\(error)", logger)
        stop.sleep(ms: min(backoff.next(), ProjectionLimits.renewEveryMs))
      }
    }
  }

  private func follow() throws {
    let stream = try EventStream(
      at: settings.redis, keys: settings.keys, consumer: settings.name)
    while !stop.isRaised {
      moves()
      let (redis, fence) = (try stream.identity(), try stream.fence())
      if let master = redis.master {
        // Its address may lead to another by now: in a moment it is looked up again.
        refusals.began(.waiting("it is a replica of \(master)"))
        return stop.sleep(ms: ProjectionLimits.renewEveryMs)
      }
      if fence.lost == nil, let opening = fence.opening, opening.runID == redis.runID,
        fence.line ?? redis.line == redis.line
      {
        if renewal.isDue() {
          try keepOpen(redis, stream, fence, opening)
          works()
        }
      } else {
        _ = try name(redis, stream, fence)
        works()
      }
      stop.sleep(ms: ProjectionLimits.openerEveryMs)
    }
  }

  private static let name = "opener"

  private func moves() { progress.pulse.beat(of: Self.name) }

  /// Both stores have answered.
  private func works() {
    backoff.reset()
    outage.ended("redis is compared with the books again", logger)
  }

  // MARK: one that is open

  private func keepOpen(
    _ redis: RedisIdentity, _ stream: EventStream, _ fence: Fence, _ opening: Opening
  ) throws {
    let lease = Lease(askedMs: try stream.time(), length: length(of: redis, fence))
    let books = try connected(&confirming, replyMs: ProjectionLimits.renewReplyMs)
    if try books.bookedEpoch().map({ $0.number == opening.epoch.number }) ?? false,
      try books.renew(opening: redis.name, leaseMs: lease.exclusiveMs, by: settings.name)
    {
      try stream.renew(opening, lease)
      return refusals.ended()
    }
    // The books name another one, or none, or this one by its line of before.
    switch try name(redis, stream, fence, isOpen: true) {
    case .waiting, .lasting: try stream.close(in: fence.epoch, lost: nil)
    case .foreign, nil: break
    }
  }

  /// When the opening of a Redis ends by itself.
  private func length(of redis: RedisIdentity, _ fence: Fence) -> Lease.Length {
    // One that was leased stays so: its replicas may be somewhere.
    guard redis.hasReplicas || redis.wasReplica || fence.leaseLeftMs != nil else {
      return .standing
    }
    return settings.leaseMs == 0 ? .endless : .ms(settings.leaseMs)
  }

  // MARK: one that is not

  /// Has the books name this Redis, and tells it.
  /// - Returns: why it is not open; nil: it is.
  private func name(
    _ redis: RedisIdentity, _ stream: EventStream, _ fence: Fence, isOpen: Bool = false
  ) throws -> Refusals.Refusal? {
    let database = try connected(&database, replyMs: settings.limits.replyMs)
    let refusal = try refusal(redis, stream, fence, isOpen, database)
    if let refusal, refusals.began(refusal) { try? stream.explain(refusal.reason) }
    return refusal
  }

  private func refusal(
    _ redis: RedisIdentity, _ stream: EventStream, _ fence: Fence, _ isOpen: Bool,
    _ database: Postgres
  ) throws -> Refusals.Refusal? {
    let other = try database.bookedOpening().flatMap { opening in
      redis.isNamed(opening.redis, isOpen: isOpen) ? nil : opening.refusal(to: settings.name)
    }
    // Before the books: lanes take nothing before these have a name, which another worker may give them.
    let delivered = try stream.newestDelivered()
    let books = try database.bookedEpoch()
    let epoch: Epoch
    switch try compare(stream, fence, delivered, books, database) {
    case .foreign(let reason): return .foreign(reason)
    case .refused(let reason):
      return .lasting([reason, other].compactMap { $0 }.joined(separator: "; "))
    case .agrees(let agreed): epoch = agreed
    }
    let named = BookedEpoch(deployment: epoch.deployment, number: epoch.number)
    if books == nil { try database.name(named) }
    let opening = Opening(epoch: epoch, runID: redis.runID)
    // Also while another may sell: who has to come back, and how long this one waits, counts from now on.
    let reason = try stream.mayOpen(opening, patienceMs: patienceMs(for: redis, fence, database))
    if let reason = other ?? reason { return .waiting(reason) }
    let lease = Lease(askedMs: try stream.time(), length: length(of: redis, fence))
    var fault: (any Error)?
    let objection = try database.grant(
      opening: redis.name, leaseMs: lease.exclusiveMs, to: settings.name,
      after: { redis.isNamed($0, isOpen: isOpen) }
    ) { () throws(PostgresError) in
      do {
        // Once more: what the other has sold is written into the books by now, or never.
        guard try database.bookedEpoch() == named else { return "the books have another epoch" }
        switch try compare(stream, fence, delivered, books, database) {
        case .agrees: return nil
        case .refused(let reason), .foreign(let reason): return reason
        }
      } catch {
        fault = error
        return "\(error)"
      }
    }
    if let fault { throw fault }
    if let objection { return .waiting(objection) }
    if let reason = try stream.open(opening, line: redis.line, lease) { return .waiting(reason) }
    refusals.ended()
    logger.notice(
      "redis is open to the sale",
      metadata: ["epoch": "\(epoch)", "redis": "\(redis.name)", "lease": "\(lease.length)"])
    return nil
  }

  /// The books before Redis: whatever comes in between is newer there, never older.
  private func compare(
    _ stream: EventStream, _ fence: Fence, _ delivered: StreamID?, _ books: BookedEpoch?,
    _ database: Postgres
  ) throws -> Comparison {
    let newest = try database.newestStreamID(nowMs: try stream.time()).map {
      StreamID(ms: $0.ms, sequence: $0.sequence)
    }
    return Comparison(
      of: fence, last: try stream.newestID(), delivered: delivered, with: books, newest: newest)
  }

  /// A master whose opening did not end by itself may have been told that it does when its replica came,
  /// without the books: this process, which may be that replica, or has its files, has to sit that out.
  private func patienceMs(
    for redis: RedisIdentity, _ fence: Fence, _ database: Postgres
  ) throws(PostgresError) -> UInt64 {
    guard redis.wasReplica || fence.leaseLeftMs != nil, settings.leaseMs > 0,
      let before = try database.bookedOpening(), before.redis != redis.name,
      before.leaseLeftMs == nil
    else { return 0 }
    return Lease.patienceMs(settings.leaseMs)
  }

  private func connected(
    _ session: inout Postgres?, replyMs: Int
  ) throws -> Postgres {
    if let session { return session }
    let made = try Postgres(
      settings.database, name: "stockworker opener",
      limits: Postgres.Limits(replyMs: min(replyMs, settings.limits.replyMs)))
    made.waits = { [progress] in progress.pulse.beat(of: Self.name, waitMs: UInt64($0)) }
    try made.migrate()
    session = made
    return made
  }
}

extension Lease {
  /// For how long no other Redis may be opened, in milliseconds; nil: for as long as this one is seen.
  fileprivate var exclusiveMs: Int64? {
    guard case .ms(let ms) = length else { return nil }
    return Int64(ms + Self.marginMs)
  }
}

/// Why Redis is not opened, or not these books' to open: for the health check, and for the log once for
/// each reason, and again every minute.
private struct Refusals {
  enum Refusal: Equatable {
    /// It passes by itself.
    case waiting(String)
    /// A matter for a person.
    case lasting(String)
    /// A matter for a person, and this Redis may be open all the same: the books are not its own.
    case foreign(String)

    var reason: String {
      switch self {
      case .waiting(let reason), .lasting(let reason), .foreign(let reason): reason
      }
    }
  }

  private let progress: Progress
  private let logger: Logger
  private var last: Refusal?
  private var since = ContinuousClock.now
  private var again = Cadence(everyMs: ProjectionLimits.alarmEveryMs)

  init(_ progress: Progress, _ logger: Logger) {
    (self.progress, self.logger) = (progress, logger)
  }

  /// - Returns: whether it is to be said, being new or a minute old.
  @discardableResult
  mutating func began(_ refusal: Refusal) -> Bool {
    let isNew = last != refusal
    if last == nil { since = .now }
    last = refusal
    progress.update { $0.notTaken = refusal.reason }
    guard again.isDue() || isNew else { return false }
    let reason: Logger.Metadata = ["reason": "\(refusal.reason)"]
    switch refusal {
    case .waiting where ContinuousClock.now < since + .milliseconds(ProjectionLimits.alarmEveryMs):
      logger.notice("redis is not opened to the sale yet", metadata: reason)
    case .waiting, .lasting:
      logger.error("ALARM: redis is not opened to the sale", metadata: reason)
    case .foreign:
      logger.error(
        "ALARM: this redis is not of these books: nothing of it is taken", metadata: reason)
    }
    return true
  }

  mutating func ended() {
    last = nil
    progress.update { $0.notTaken = nil }
  }
}
