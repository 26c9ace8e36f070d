import Inventory

/// What corrections write: rows of `stock_movements`, and what they say about the rows of holds and
/// their orders.
final class CorrectionColumns {
  private let ids = Column(.text)
  private let causes = Column(.text)
  private let times = Column(.timestamptz)
  private let skus = Column(.text)
  private let deltas = (0..<4).map { _ in Column(.bigint) }
  private let figures = (0..<4).map { _ in Column(.bigint) }
  private let versions = Column(.bigint)
  private let actors = Column(.text)
  private let reasons = Column(.text)
  private let found = Column(.text)
  private let streamMs = Column(.bigint)
  private let streamSequences = Column(.bigint)

  private let holdIDs = Column(.text)
  private let holdSKUs = Column(.text)
  private let quantities = Column(.integer)
  private let users = Column(.text)
  private let keys = Column(.text)
  private let createdAt = Column(.timestamptz)
  private let orderIDs = Column(.uuid)
  private let holdTimes = Column(.timestamptz)
  private let holdStreamMs = Column(.bigint)
  private let holdStreamSequences = Column(.bigint)

  /// For `save_corrections`.
  var all: [Column] {
    [ids, causes, times, skus] + deltas + figures
      + [versions, actors, reasons, found, streamMs, streamSequences]
  }

  /// For `correct_holds`.
  var holds: [Column] {
    [
      holdIDs, holdSKUs, quantities, users, keys, createdAt, orderIDs, holdTimes, holdStreamMs,
      holdStreamSequences,
    ]
  }

  var count: Int { ids.count }

  var holdCount: Int { holdIDs.count }

  func removeAll() { for column in all + holds { column.removeAll() } }

  func add(
    _ correction: Correction, _ hold: Hold, _ order: (high: UInt64, low: UInt64),
    _ entry: Ledger.Entry
  ) {
    for column in figures { column.addNull() }
    add(correction, .holdCorrected, hold.sku, hold.version, entry)
    holdIDs.add(hold.id)
    holdSKUs.add(hold.sku.text)
    quantities.add(Int32(hold.qty))
    users.add(hold.user.text)
    keys.add(hold.key.text)
    createdAt.add(ms: hold.createdAt)
    orderIDs.add(uuid: order)
    holdTimes.add(ms: hold.changedAt)
    holdStreamMs.add(Int64(entry.streamMs))
    holdStreamSequences.add(Int64(entry.streamSequence))
  }

  func add(_ correction: Correction, _ change: StockChange, _ entry: Ledger.Entry) {
    let after = change.figures
    for (column, units) in zip(
      figures, [after.available, after.held, after.sold, after.supplied])
    {
      column.add(Int64(units))
    }
    add(correction, .stockCorrected, change.sku, after.version, entry)
  }

  private func add(
    _ correction: Correction, _ type: EventType, _ sku: SKU, _ version: UInt64,
    _ entry: Ledger.Entry
  ) {
    ids.add(entry.event.id)
    causes.add(type.rawValue)
    times.add(ms: entry.event.time)
    skus.add(sku.text)
    let books = correction.books
    for (column, units) in zip(
      deltas, [books.available, books.held, books.sold, books.supplied])
    {
      column.add(units)
    }
    versions.add(Int64(version))
    actors.add(correction.actor.text)
    reasons.add(correction.reason.text)
    found.add(correction.found)
    streamMs.add(Int64(entry.streamMs))
    streamSequences.add(Int64(entry.streamSequence))
  }
}
