public import Inventory

/// The books in PostgreSQL: applies events, each exactly once however often and in whatever order
/// they are delivered.
///
/// How it works.  The effects of a batch are one transaction, sent as one pipeline.  Each event makes
/// one movement, and has been applied when that is there.  The other effects are either a row that
/// there is once (an order) or the complete state after the event, guarded by the version: an event
/// that is known already, or older than what is known, changes nothing.  Nothing here looks at a clock
/// or decides again: the script that wrote the event has judged.
///
/// Locks are taken in one order everywhere (table after table, and in each by `EventRow`), so that
/// workers wait for each other but never in a circle.
///
/// One thread at a time.
public final class Ledger {
  /// Latest time that a table holds, in milliseconds since 1970: the end of the year 9999.
  public static let timeMsMax: UInt64 = 253_402_300_799_999

  /// An event and where in the stream it stands.
  public struct Entry {
    /// What has happened.
    public let event: Event
    /// Milliseconds of the id of the stream entry.
    public let streamMs: UInt64
    /// The number of the stream entry within its millisecond.
    public let streamSequence: UInt64

    /// An entry from its parts.
    public init(event: Event, streamMs: UInt64, streamSequence: UInt64) {
      self.event = event
      self.streamMs = streamMs
      self.streamSequence = streamSequence
    }
  }

  /// An event that the tables refuse.
  public struct Dead {
    /// Its place among those handed in.
    public let place: Int
    /// For the dead letter; holds no values of rows.
    public let reason: String
    /// No attempt can ever succeed: no column holds such a value.
    public let isFinal: Bool

    /// The same event, where it stands among others.
    public func moved(to place: Int) -> Dead {
      Dead(place: place, reason: reason, isFinal: isFinal)
    }
  }

  /// What became of a batch.
  public struct Outcome {
    /// Events that took effect now.
    public internal(set) var applied = 0
    /// Events that had taken effect before, or stood twice in the batch.
    public internal(set) var repeated = 0
    /// Events that cannot be applied; each of the others is.
    public internal(set) var dead: [Dead] = []
  }

  private let database: Postgres
  private let effects = Effects()
  /// That the Redis of the events is the one that sells.
  private let condition: [Postgres.Step]

  /// The books in a database whose tables are up to date (`Postgres.migrate`).
  /// - Parameter redis: which Redis the events come from, as the books name it: when they have opened another,
  ///   they are refused (`PostgresError.isOfAnotherRedis`).  nil: they are taken from anywhere.
  public init(in database: Postgres, from redis: String? = nil) {
    self.database = database
    condition =
      redis.map { redis in
        let column = Column(.text)
        column.add(redis)
        return [
          .init(Statement("require_opened", "SELECT require_opened(($1::text[])[1])"), [column])
        ]
      } ?? []
  }

  /// Applies a batch, normally in one transaction.  When it returns, all is committed.
  ///
  /// When the fault lies in the data, the batch is halved until the events at fault stand alone.
  /// - Throws: when the server cannot take it now.  Parts of the batch may have been committed: apply
  ///   it again, whole.
  public func apply(_ entries: [Entry]) throws(PostgresError) -> Outcome {
    var outcome = Outcome()
    var rows: [EventRow] = []
    rows.reserveCapacity(entries.count)
    for (place, entry) in entries.enumerated() {
      if let reason = unfitness(of: entry) {
        outcome.dead.append(Dead(place: place, reason: reason, isFinal: true))
      } else {
        rows.append(EventRow(entry.event, place: place))
      }
    }
    rows.sort()
    try apply(rows[...], of: entries, &outcome)
    return outcome
  }

  private func apply(
    _ rows: ArraySlice<EventRow>, of entries: [Entry], _ outcome: inout Outcome
  ) throws(PostgresError) {
    guard let first = rows.first else { return }
    do {
      effects.fill(from: rows, of: entries)
      let applied = try write()
      outcome.applied += applied
      outcome.repeated += rows.count - applied
    } catch {
      guard error.isFaultOfData else { throw error }
      if rows.count > 1 {
        let middle = rows.startIndex + rows.count / 2
        try apply(rows[..<middle], of: entries, &outcome)
        try apply(rows[middle...], of: entries, &outcome)
      } else {
        outcome.dead.append(Dead(place: first.place, reason: error.description, isFinal: false))
      }
    }
  }

  /// Writes the effects as if all events were new; when one is not, again, looking for each.
  private func write() throws(PostgresError) -> Int {
    do {
      return try database.run(condition + effects.steps(known: false))
    } catch {
      guard error.isUniqueViolation else { throw error }
      return try database.run(condition + effects.steps(known: true))
    }
  }
}
