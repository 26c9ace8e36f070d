public import Inventory
import Wire

/// The books in PostgreSQL: applies events, each exactly once however often and in whatever order
/// they are delivered.
///
/// How it works.  The rows in `processed_events` and the effects of a batch are one transaction, and
/// only events whose row is new have an effect.  An effect is the complete state after its event,
/// guarded by the version, so that an older one arriving late changes nothing.  Nothing here looks at
/// a clock or decides again: the script that wrote the event has judged.
///
/// Locks are taken in one order everywhere (events by id, then holds by id, then orders), so that
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
    /// `<milliseconds>-<sequence>` of the stream entry.
    public let streamID: String

    /// An entry from its parts.
    public init(event: Event, streamID: String) {
      (self.event, self.streamID) = (event, streamID)
    }
  }

  /// An event that can never be applied.
  public struct Dead {
    /// Its place among those handed in.
    public let place: Int
    /// For the dead letter; holds no values of rows.
    public let reason: String
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
  private let identity = Identity()
  /// Days since 1970 whose partition is known to exist.
  private var days: Set<Int32> = []

  /// The books in a database whose tables are up to date (`Postgres.migrate`).
  public init(in database: Postgres) { self.database = database }

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
      if let reason = unfitness(of: entry.event) {
        outcome.dead.append(Dead(place: place, reason: reason))
      } else {
        rows.append(
          EventRow(
            place: place, id: entry.event.id, event: entry.event, streamID: entry.streamID))
      }
    }
    rows.sort { $0.id < $1.id }
    try apply(rows[...], &outcome)
    return outcome
  }

  /// - Parameter again: the only event has failed before, when days were taken from memory.
  private func apply(
    _ rows: ArraySlice<EventRow>, _ outcome: inout Outcome, again: Bool = false
  ) throws(PostgresError) {
    guard let first = rows.first else { return }
    do {
      let applied = try commit(rows)
      outcome.applied += applied
      outcome.repeated += rows.count - applied
    } catch {
      // Somebody may have dropped a day that was thought to exist.
      days.removeAll()
      guard error.isFaultOfData else { throw error }
      if rows.count > 1 {
        let middle = rows.startIndex + rows.count / 2
        try apply(rows[..<middle], &outcome)
        try apply(rows[middle...], &outcome)
      } else if !again {
        try apply(rows, &outcome, again: true)
      } else {
        outcome.dead.append(Dead(place: first.place, reason: error.description))
      }
    }
  }

  /// - Returns: how many were new.
  private func commit(_ rows: ArraySlice<EventRow>) throws(PostgresError) -> Int {
    try addDays(of: rows)
    return try database.transaction { () throws(PostgresError) in
      let new = try remember(rows)
      let effects = Effects(of: new)
      try save(holds: effects.holds)
      try save(orders: effects.orders)
      try save(movements: effects.movements)
      return new.count
    }
  }

  private func addDays(of rows: ArraySlice<EventRow>) throws(PostgresError) {
    var missing: Set<Int32> = []
    for row in rows {
      let day = Int32(row.event.time / 86_400_000)
      if !days.contains(day) { missing.insert(day) }
    }
    guard !missing.isEmpty else { return }
    var column = Column(.integer, rows: missing.count)
    for day in missing.sorted() { column.add(day) }
    _ = try database.run(.addDays, [column])
    days.formUnion(missing)
  }

  /// - Returns: the new ones among the events, sorted by id, each once.
  private func remember(_ rows: ArraySlice<EventRow>) throws(PostgresError) -> [EventRow] {
    var ids = Column(.text, rows: rows.count)
    var types = Column(.text, rows: rows.count)
    var times = Column(.timestamptz, rows: rows.count)
    var streamIDs = Column(.text, rows: rows.count)
    for row in rows {
      ids.add(row.id)
      types.add(row.event.type.rawValue)
      times.add(ms: row.event.time)
      streamIDs.add(row.streamID)
    }
    let answer = try database.run(.rememberEvents, [ids, types, times, streamIDs])
    if answer.count == rows.count { return Array(rows) }
    var new: Set<EventName> = []
    for place in 0..<answer.count {
      new.insert(EventName(id: answer.text(place, 0), time: answer.integer(place, 1)))
    }
    return rows.filter { row in
      new.remove(EventName(id: row.id, time: Column.microseconds(row.event.time))) != nil
    }
  }

  private struct EventName: Hashable {
    let id: String
    let time: Int64
  }
}

extension Ledger {
  private typealias HoldRows = [(hold: Hold, id: String, streamID: String)]

  private func save(holds: HoldRows) throws(PostgresError) {
    guard !holds.isEmpty else { return }
    let texts = Column(.text, rows: holds.count)
    let times = Column(.timestamptz, rows: holds.count)
    var (ids, skus, users, statuses, keys) = (texts, texts, texts, texts, texts)
    var (paymentRefs, streamIDs) = (texts, texts)
    var (expiresAt, createdAt, changedAt) = (times, times, times)
    var quantities = Column(.integer, rows: holds.count)
    var versions = Column(.bigint, rows: holds.count)
    for (hold, id, streamID) in holds {
      ids.add(id)
      skus.add(hold.sku.text)
      quantities.add(Int32(hold.qty))
      users.add(hold.user.text)
      statuses.add(hold.status.name)
      expiresAt.add(ms: hold.expiresAt)
      createdAt.add(ms: hold.createdAt)
      keys.add(hold.key.text)
      paymentRefs.add(hold.paymentRef?.text)
      versions.add(Int64(hold.version))
      changedAt.add(ms: hold.changedAt)
      streamIDs.add(streamID)
    }
    _ = try database.run(
      .saveHolds,
      [
        ids, skus, quantities, users, statuses, expiresAt, createdAt, keys, paymentRefs, versions,
        changedAt, streamIDs,
      ])
  }

  private func save(orders: HoldRows) throws(PostgresError) {
    guard !orders.isEmpty else { return }
    let texts = Column(.text, rows: orders.count)
    var (ids, holds, users, skus, paymentRefs) = (texts, texts, texts, texts, texts)
    var streamIDs = texts
    var quantities = Column(.integer, rows: orders.count)
    var createdAt = Column(.timestamptz, rows: orders.count)
    for (hold, id, streamID) in orders {
      ids.add(identity.order(of: hold.id))
      holds.add(id)
      users.add(hold.user.text)
      skus.add(hold.sku.text)
      quantities.add(Int32(hold.qty))
      paymentRefs.add(hold.paymentRef?.text)
      createdAt.add(ms: hold.changedAt)
      streamIDs.add(streamID)
    }
    _ = try database.run(
      .saveOrders, [ids, holds, users, skus, quantities, paymentRefs, createdAt, streamIDs])
  }

  private func save(
    movements: [(change: StockChange, row: EventRow)]
  ) throws(PostgresError) {
    guard !movements.isEmpty else { return }
    let texts = Column(.text, rows: movements.count)
    let numbers = Column(.bigint, rows: movements.count)
    var (ids, skus, causes, requestIDs, streamIDs) = (texts, texts, texts, texts, texts)
    var (deltas, available, held, sold, supplied) = (numbers, numbers, numbers, numbers, numbers)
    var versions = numbers
    var times = Column(.timestamptz, rows: movements.count)
    for (change, row) in movements {
      ids.add(row.id)
      times.add(ms: change.changedAt)
      skus.add(change.sku.text)
      causes.add(row.event.type.rawValue)
      deltas.add(change.delta)
      available.add(Int64(change.figures.available))
      held.add(Int64(change.figures.held))
      sold.add(Int64(change.figures.sold))
      supplied.add(Int64(change.figures.supplied))
      versions.add(Int64(change.figures.version))
      requestIDs.add(change.requestID?.text)
      streamIDs.add(row.streamID)
    }
    _ = try database.run(
      .saveMovements,
      [
        ids, times, skus, causes, deltas, available, held, sold, supplied, versions, requestIDs,
        streamIDs,
      ])
  }
}

extension Statement {
  fileprivate static let rememberEvents = file(
    "remember_events", PackageResources.remember_events_sql)
  fileprivate static let saveHolds = file("save_holds", PackageResources.save_holds_sql)
  fileprivate static let saveOrders = file("save_orders", PackageResources.save_orders_sql)
  fileprivate static let saveMovements = file("save_movements", PackageResources.save_movements_sql)
  fileprivate static let addDays = file("add_days", PackageResources.add_days_sql)

  private static func file(_ name: String, _ sql: [UInt8]) -> Statement {
    Statement(name: name, sql: String(decoding: sql, as: UTF8.self))
  }
}
