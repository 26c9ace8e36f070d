import HotPath
import Inventory
import Ledger

/// What the movements of every SKU add up to, without adding all of them up each time.
///
/// How it works.  A SKU's sum up to an entry that the books have passed is kept, since nothing can come
/// below it any more; what has moved since is added.  By turns, and as far as a budget of rows goes, the
/// sums are made anew from the first movement on, so that a row which somebody has slipped in among the
/// old ones is found too.
final class BookSums {
  private struct Known {
    var deltas = Correction.Deltas.none
    var upTo = StreamID(ms: 0, sequence: 0)
    var rows = 0
    /// The round in which it was made from the first movement on.
    var round = -1
  }

  private var known: [SKU: Known] = [:]
  private(set) var round = 0
  private var credit = 0

  /// Movements that are in the sums.
  var rows: Int { known.values.reduce(0) { $0 + $1.rows } }

  /// Whether every sum was made from the first movement on in this round or later.
  func areAll(since round: Int) -> Bool { known.values.allSatisfy { $0.round >= round } }

  /// Whether a sum is kept.
  func knows(_ sku: SKU) -> Bool { known[sku] != nil }

  /// Begins a round.
  /// - Parameter rowsMax: movements that may be added up anew in it, beside those of SKUs that are seen
  ///   for the first time.
  func beginRound(rowsMax: Int) {
    round += 1
    let largest = known.values.reduce(0) { max($0, $1.rows) }
    credit = min(credit + rowsMax, max(largest, rowsMax))
    for (sku, sum) in known.sorted(by: { $0.value.round < $1.value.round })
    where sum.rows <= credit {
      credit -= sum.rows
      known[sku] = nil
    }
  }

  /// Forgets what is known of a SKU.
  func forget(_ sku: SKU) { known[sku] = nil }

  /// The sums of some SKUs up to entries; nil: there is no movement.
  /// - Parameter applied: up to here the books are complete.
  func sums(
    of asked: [(sku: SKU, to: StreamID)], applied: StreamID, in books: BookView
  ) throws(PostgresError) -> [Correction.Deltas?] {
    try advance(asked.map { ($0.sku, min($0.to, applied)) }, in: books)
    let ahead = asked.filter { known[$0.sku]!.upTo < $0.to }
    // More than one statement adds up are there only when the books are far behind; what is not
    // there yet makes a difference that is looked at again.
    let parts =
      ahead.isEmpty
      ? []
      : try books.sums(
        ahead.map {
          .init(sku: $0.sku.text, after: bound(known[$0.sku]!.upTo), to: bound($0.to))
        })
    let rest = Dictionary(zip(ahead.map(\.sku), parts)) { one, _ in one }
    return asked.map { one in
      let (sum, part) = (known[one.sku]!, rest[one.sku])
      let rows = sum.rows + (part?.rows ?? 0)
      return rows == 0 ? nil : sum.deltas + (part?.deltas ?? .none)
    }
  }

  /// Brings what is known of SKUs up to entries that the books have passed.
  private func advance(
    _ asked: [(sku: SKU, to: StreamID)], in books: BookView
  ) throws(PostgresError) {
    var open = asked.filter { one in known[one.sku].map { $0.upTo < one.to } ?? true }
    while !open.isEmpty {
      let parts = try books.sums(
        open.map {
          .init(
            sku: $0.sku.text, after: bound(known[$0.sku, default: Known()].upTo),
            to: bound($0.to))
        })
      var left: [(sku: SKU, to: StreamID)] = []
      for (one, part) in zip(open, parts) {
        var sum = known[one.sku] ?? Known(round: round)
        sum.deltas = sum.deltas + part.deltas
        sum.rows += part.rows
        sum.upTo = max(sum.upTo, one.to)
        let last = StreamID(ms: UInt64(clamping: part.lastMs), sequence: .max)
        if part.rows >= BookView.sumRowsMax, last < one.to {
          sum.upTo = last
          left.append(one)
        }
        known[one.sku] = sum
      }
      open = left
    }
  }

  private func bound(_ id: StreamID) -> (ms: Int64, sequence: Int64) {
    (Int64(clamping: id.ms), Int64(clamping: id.sequence))
  }
}
