import Inventory

/// An event of a batch: where it stands among those that were handed in, and what it is sorted by.
///
/// Every worker takes its locks in the order of these rows, so that workers wait for each other but
/// never in a circle.  Holds come first, by their id and version; then stock, by SKU and version.
struct EventRow: Comparable {
  /// Its place among the events that were handed in.
  let place: Int
  private let partition: UInt32
  private let high: UInt64
  private let low: UInt64
  private let generation: UInt64
  private let version: UInt64
  private let sku: String

  init(_ event: Event, place: Int) {
    self.place = place
    switch event {
    case .hold(_, let hold):
      partition = UInt32(hold.id.key.partition)
      (high, low, generation) = (hold.id.key.high, hold.id.key.low, hold.id.generation)
      (version, sku) = (hold.version, "")
    case .stock(_, let change):
      partition = .max
      (high, low, generation) = (0, 0, 0)
      (version, sku) = (change.figures.version, change.sku.text)
    }
  }

  static func < (one: EventRow, other: EventRow) -> Bool {
    if one.high != other.high || one.low != other.low || one.partition != other.partition {
      return (one.partition, one.high, one.low) < (other.partition, other.high, other.low)
    }
    if one.generation != other.generation { return one.generation < other.generation }
    if one.sku != other.sku { return one.sku < other.sku }
    return one.version < other.version
  }
}

/// Why no table could hold an event, though it was decoded.
func unfitness(of entry: Ledger.Entry) -> String? {
  var (version, latest) = (UInt64(0), entry.event.time)
  switch entry.event {
  case .hold(_, let hold):
    version = hold.version
    latest = max(latest, hold.createdAt, hold.expiresAt)
  case .stock(_, let change): version = change.figures.version
  }
  let limit = UInt64(Int64.max)
  guard version <= limit else { return "the version is out of range" }
  guard entry.streamMs <= limit, entry.streamSequence <= limit else {
    return "the stream id is out of range"
  }
  guard latest <= Ledger.timeMsMax else { return "a time is after the year 9999" }
  return nil
}
