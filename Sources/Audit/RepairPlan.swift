public import HotPath
public import Inventory
import Ledger

/// The compensating entries for one SKU, as a dry run prints them.
public struct RepairPlan: Sendable {
  /// An entry that would be written.
  public enum Entry: Sendable, Hashable {
    /// A HOLD_CORRECTED event: the hold's state from now on.
    case hold(Hold, expected: UInt64, found: String, books: Correction.Deltas)
    /// A STOCK_CORRECTED event: what either store adds to its figures.
    case stock(
      SKU, expected: UInt64, store: Correction.Deltas, books: Correction.Deltas, found: String)

    /// One line for a person, complete.
    public var text: String {
      switch self {
      case .hold(let hold, let expected, let found, let books):
        "HOLD_CORRECTED \(hold.id) becomes \(hold.status.name) version \(hold.version), "
          + "\(hold.qty) of \(hold.sku)\(expected == 0 ? ", Redis does not know it" : ""); "
          + "books: \(books.text); because \(found)"
      case .stock(let sku, let expected, let store, let books, let found):
        "STOCK_CORRECTED \(sku) version \(expected + 1); Redis: \(store.text); "
          + "books: \(books.text); because \(found)"
      }
    }
  }

  /// Whose.
  public let sku: SKU
  /// What differs.
  public let differences: [Difference]
  /// In the order in which they would be written.
  public let entries: [Entry]
  /// Why it must not be carried out, for a person; empty: it may be.
  public let refusals: [String]
  /// What else a person should know or do.
  public let advice: [String]

  /// The same for the same entries: what the dry run showed is what is confirmed.
  public var id: String {
    var print = Fingerprint()
    for entry in entries { print.mix(entry.text) }
    let digits = String(print.value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// What became of a repair.
public struct RepairOutcome: Sendable {
  /// The entries that were written, each with its place in the stream.
  public internal(set) var written: [(entry: RepairPlan.Entry, at: StreamID)] = []
  /// The entry before which the repair stopped, since its hold or SKU had changed; what comes after it
  /// was not written either: plan anew.
  public internal(set) var stoppedAt: RepairPlan.Entry?
  /// Why the audit cannot tell yet whether it has helped; nil: `left` says.
  public internal(set) var undecided: String?
  /// What differs still.
  public internal(set) var left: [Difference] = []
}
