import Inventory
import Wire

/// What some events write, as the parameters of one statement a table.
///
/// The columns keep their memory from batch to batch.  One thread at a time.
final class Effects {
  private let identity = Identity()

  // Every event of a hold.
  private let eventIDs = Column(.text)
  private let types = Column(.text)
  private let times = Column(.timestamptz)
  private let skus = Column(.text)
  private let quantities = Column(.bigint)
  private let versions = Column(.bigint)
  private let streamMs = Column(.bigint)
  private let streamSequences = Column(.bigint)
  private let actors = Column(.text)
  private let reasons = Column(.text)
  private let holds = HoldColumns()
  private let orders = OrderColumns()
  private let stock = StockColumns()
  private let corrections = CorrectionColumns()

  /// - Parameter rows: sorted, so that those of one hold are neighbours.
  func fill(from rows: ArraySlice<EventRow>, of entries: [Ledger.Entry]) {
    for column in events { column.removeAll() }
    holds.removeAll()
    orders.removeAll()
    stock.removeAll()
    corrections.removeAll()
    /// The newest state of the hold at hand: one statement must not touch a row twice.
    var newest: (hold: Hold, entry: Ledger.Entry)?
    for row in rows {
      let entry = entries[row.place]
      switch entry.event {
      case .stock(let type, let change):
        if let correction = change.correction {
          corrections.add(correction, change, entry)
        } else {
          stock.add(type, change, entry)
        }
      case .hold(let type, let hold):
        if let correction = hold.correction {
          corrections.add(correction, hold, identity.orderNumber(of: hold.id), entry)
        } else {
          add(type, hold, entry)
        }
        if type == .holdConfirmed { orders.add(hold, identity.orderNumber(of: hold.id), entry) }
        if let last = newest, last.hold.id != hold.id { holds.add(last.hold, last.entry) }
        newest = (hold, entry)  // the versions of a hold are in order
      }
    }
    if let newest { holds.add(newest.hold, newest.entry) }
  }

  /// The statements that have something to write, in the order in which every worker takes locks.
  /// - Parameter known: whether some of the events may be known already.  To look for each of them
  ///   first costs PostgreSQL a third more, and hardly ever finds one.
  func steps(known: Bool) -> [Postgres.Step] {
    var steps: [Postgres.Step] = []
    func write(_ insert: Insert, _ columns: [Column], counts: Bool = true) {
      steps.append(.init(known ? insert.missing : insert.all, columns, counts: counts))
    }
    if eventIDs.count > 0 { write(.saveHoldMovements, events) }
    if holds.count > 0 { steps.append(.init(.saveHolds, holds.all)) }
    if orders.count > 0 { write(.saveOrders, orders.all, counts: false) }
    if stock.count > 0 { write(.saveStockMovements, stock.all) }
    if corrections.holdCount > 0 { steps.append(.init(.correctHolds, corrections.holds)) }
    if corrections.count > 0 { write(.saveCorrections, corrections.all) }
    return steps
  }

  private var events: [Column] {
    [
      eventIDs, types, times, skus, quantities, versions, actors, reasons, streamMs,
      streamSequences,
    ]
  }

  private func add(_ type: EventType, _ hold: Hold, _ entry: Ledger.Entry) {
    eventIDs.add(hold.id, version: hold.version)
    types.add(type.rawValue)
    times.add(ms: hold.changedAt)
    skus.add(hold.sku.text)
    quantities.add(Int64(hold.qty))
    versions.add(Int64(hold.version))
    actors.add(hold.attribution?.actor?.text)
    reasons.add(hold.attribution?.reason?.text)
    streamMs.add(Int64(entry.streamMs))
    streamSequences.add(Int64(entry.streamSequence))
  }
}

/// Rows of `holds`.
private final class HoldColumns {
  private let ids = Column(.text)
  private let skus = Column(.text)
  private let quantities = Column(.integer)
  private let users = Column(.text)
  private let statuses = Column(.text)
  private let expiresAt = Column(.timestamptz)
  private let createdAt = Column(.timestamptz)
  private let keys = Column(.text)
  private let paymentRefs = Column(.text)
  private let versions = Column(.bigint)
  private let changedAt = Column(.timestamptz)
  private let streamMs = Column(.bigint)
  private let streamSequences = Column(.bigint)

  var all: [Column] {
    [
      ids, skus, quantities, users, statuses, expiresAt, createdAt, keys, paymentRefs, versions,
      changedAt, streamMs, streamSequences,
    ]
  }

  var count: Int { ids.count }

  func removeAll() { for column in all { column.removeAll() } }

  func add(_ hold: Hold, _ entry: Ledger.Entry) {
    ids.add(hold.id)
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
    streamMs.add(Int64(entry.streamMs))
    streamSequences.add(Int64(entry.streamSequence))
  }
}

/// Rows of `orders`.
private final class OrderColumns {
  private let ids = Column(.uuid)
  private let holds = Column(.text)
  private let users = Column(.text)
  private let skus = Column(.text)
  private let quantities = Column(.integer)
  private let paymentRefs = Column(.text)
  private let createdAt = Column(.timestamptz)
  private let streamMs = Column(.bigint)
  private let streamSequences = Column(.bigint)

  var all: [Column] {
    [ids, holds, users, skus, quantities, paymentRefs, createdAt, streamMs, streamSequences]
  }

  var count: Int { ids.count }

  func removeAll() { for column in all { column.removeAll() } }

  func add(_ hold: Hold, _ number: (high: UInt64, low: UInt64), _ entry: Ledger.Entry) {
    ids.add(uuid: number)
    holds.add(hold.id)
    users.add(hold.user.text)
    skus.add(hold.sku.text)
    quantities.add(Int32(hold.qty))
    paymentRefs.add(hold.paymentRef?.text)
    createdAt.add(ms: hold.changedAt)
    streamMs.add(Int64(entry.streamMs))
    streamSequences.add(Int64(entry.streamSequence))
  }
}

/// Rows of `stock_movements` for changes of stock.
private final class StockColumns {
  private let ids = Column(.text)
  private let types = Column(.text)
  private let times = Column(.timestamptz)
  private let skus = Column(.text)
  private let deltas = Column(.bigint)
  private let available = Column(.bigint)
  private let held = Column(.bigint)
  private let sold = Column(.bigint)
  private let supplied = Column(.bigint)
  private let versions = Column(.bigint)
  private let requestIDs = Column(.text)
  private let actors = Column(.text)
  private let reasons = Column(.text)
  private let streamMs = Column(.bigint)
  private let streamSequences = Column(.bigint)

  var all: [Column] {
    [
      ids, types, times, skus, deltas, available, held, sold, supplied, versions, requestIDs,
      actors, reasons, streamMs, streamSequences,
    ]
  }

  var count: Int { ids.count }

  func removeAll() { for column in all { column.removeAll() } }

  func add(_ type: EventType, _ change: StockChange, _ entry: Ledger.Entry) {
    ids.add(entry.event.id)
    types.add(type.rawValue)
    times.add(ms: change.changedAt)
    skus.add(change.sku.text)
    deltas.add(change.delta)
    available.add(Int64(change.figures.available))
    held.add(Int64(change.figures.held))
    sold.add(Int64(change.figures.sold))
    supplied.add(Int64(change.figures.supplied))
    versions.add(Int64(change.figures.version))
    requestIDs.add(change.requestID?.text)
    actors.add(change.attribution?.actor?.text)
    reasons.add(change.attribution?.reason?.text)
    streamMs.add(Int64(entry.streamMs))
    streamSequences.add(Int64(entry.streamSequence))
  }
}

/// An INSERT in two forms.
private struct Insert {
  /// Only rows that are not there; as it stands in its file.
  let missing: Statement
  /// Every row, or none: without the last clause, ON CONFLICT.
  let all: Statement

  init(_ name: String, _ file: [UInt8]) {
    missing = Statement(name, file)
    guard let clause = missing.sql.firstRange(of: "\nON CONFLICT") else {
      preconditionFailure("\(name).sql has no ON CONFLICT clause")
    }
    all = Statement("\(name)_all", String(missing.sql[..<clause.lowerBound]))
  }

  static let saveOrders = Insert("save_orders", PackageResources.save_orders_sql)
  static let saveHoldMovements = Insert(
    "save_hold_movements", PackageResources.save_hold_movements_sql)
  static let saveStockMovements = Insert(
    "save_stock_movements", PackageResources.save_stock_movements_sql)
  static let saveCorrections = Insert(
    "save_corrections", PackageResources.save_corrections_sql)
}

extension Statement {
  fileprivate static let saveHolds = Statement("save_holds", PackageResources.save_holds_sql)
  fileprivate static let correctHolds = Statement(
    "correct_holds", PackageResources.correct_holds_sql)
}
