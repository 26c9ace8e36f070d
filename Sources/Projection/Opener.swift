import HotPath
import Ledger
import Logging

/// Opens Redis to the sale, each process of it once: when the books know nothing that it does not
/// know, and no writer objects.  Until then servers refuse to sell, and the log says why.
///
/// Any number of workers may do so at once: each compares for itself, and the writing is one script.
/// While PostgreSQL is away nothing is opened, and what is open stays open.
///
/// One thread at a time; `run` keeps the thread until the flag is raised.
final class Opener {
  private let settings: Projection.Settings
  private let logger: Logger
  private let stop: StopFlag
  private var database: Postgres?
  private var backoff = Backoff()
  private var outage = Outage()
  private var refusal: String?
  private var alarm = Cadence(everyMs: ProjectionLimits.alarmEveryMs)
  private var epochCheck = Cadence(everyMs: ProjectionLimits.epochCheckEveryMs)

  init(_ settings: Projection.Settings, stop: StopFlag, logger: Logger) {
    self.settings = settings
    self.stop = stop
    self.logger = logger
  }

  func run() {
    while !stop.isRaised {
      do {
        try follow()
      } catch {
        // The lanes tell the log which store is away.
        if case .lost? = error as? PostgresError { database = nil }
        outage.began("redis cannot be compared with the books", "\(error)", logger)
        stop.sleep(ms: backoff.next())
      }
    }
  }

  private func follow() throws {
    let stream = try EventStream(
      at: settings.redis, keys: settings.keys, consumer: settings.name)
    let runID = try stream.runID()
    while !stop.isRaised {
      let fence = try stream.fence()
      if fence.lost == nil, let opening = fence.opening, opening.runID == runID {
        if epochCheck.isDue() { try closeIfSuperseded(stream, opening.epoch) }
      } else {
        try compare(stream, fence, runID)
      }
      backoff.reset()
      outage.ended("redis is compared with the books again", logger)
      stop.sleep(ms: ProjectionLimits.openerEveryMs)
    }
  }

  private func compare(_ stream: EventStream, _ fence: Fence, _ runID: String) throws {
    let database = try connectedDatabase()
    let nowMs = try stream.time()
    // The books before Redis: whatever comes in between is newer there, never older.
    let books = try database.bookedEpoch()
    let newest = try database.newestStreamID(nowMs: nowMs).map {
      StreamID(ms: $0.ms, sequence: $0.sequence)
    }
    let comparison = Comparison(
      of: fence, last: try stream.newestID(), with: books, newest: newest)
    switch comparison {
    case .refused(let reason): refuse(reason)
    case .agrees(let epoch):
      if books == nil {
        try database.name(BookedEpoch(deployment: epoch.deployment, number: epoch.number))
        // Another worker may have been faster, with another name.
        guard try database.bookedEpoch()?.deployment == epoch.deployment else { return }
      }
      if let reason = try stream.open(Opening(epoch: epoch, runID: runID)) {
        return refuse(reason)
      }
      refusal = nil
      logger.notice("redis is open to the sale", metadata: ["epoch": "\(epoch)"])
      try database.noteOpening(of: runID)
    }
  }

  /// A Redis that was rebuilt elsewhere meanwhile must not go on beside the new one.
  private func closeIfSuperseded(_ stream: EventStream, _ epoch: Epoch) throws {
    guard let books = try connectedDatabase().bookedEpoch() else { return }
    guard epoch.deployment == books.deployment, epoch.number < books.number else { return }
    let reason = "another Redis was rebuilt: epoch \(epoch.number) of \(books.number)"
    try stream.close(because: reason)
    refuse(reason)
  }

  /// Once for each reason, and again every minute.
  private func refuse(_ reason: String) {
    let isNew = refusal != reason
    refusal = reason
    guard alarm.isDue() || isNew else { return }
    logger.error("ALARM: redis is not opened to the sale", metadata: ["reason": "\(reason)"])
  }

  private func connectedDatabase() throws -> Postgres {
    if let database { return database }
    let made = try Postgres(
      settings.database, name: "stockworker opener", limits: settings.limits)
    try made.migrate()
    database = made
    return made
  }
}

/// This Redis is not the one that the books are of: what it holds must not get into them.
struct ForeignRedis: Error, CustomStringConvertible {
  let description: String

  /// Refuses to read the stream of another deployment, or of a copy from before a rebuild.
  static func check(_ stream: EventStream, against database: Postgres) throws {
    guard let epoch = try stream.fence().epoch, let books = try database.bookedEpoch(),
      !books.isRebuilding, epoch.deployment != books.deployment || epoch.number < books.number,
      let reason = Comparison.difference(epoch, books)
    else { return }
    throw ForeignRedis(description: reason)
  }
}
