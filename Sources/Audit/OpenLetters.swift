import HotPath
import Inventory
import Wire

/// A dead letter that waits to be replayed or discarded, as far as it can be read.
struct OpenLetter: Hashable {
  /// The event's id.
  let id: String
  /// nil: it cannot be read, and may be about any SKU.
  let sku: String?
  /// nil: it is about a SKU, or cannot be read.
  let hold: String?
  /// What its event would do to the books' sums.
  let deltas: Correction.Deltas

  init(_ letter: DeadLetter, arena: Arena) {
    id = letter.id
    arena.reset()
    let event = letter.bytes.withUnsafeBytes { bytes in
      try? Event(type: letter.type, bytes, arena: arena)
    }
    switch event {
    case nil: (sku, hold, deltas) = (nil, nil, .none)
    case .hold(let type, let held):
      (sku, hold) = (held.sku.text, "\(held.id)")
      let qty = Int64(held.qty)
      deltas =
        switch type {
        case .holdCreated: Correction.Deltas(available: -qty, held: qty)
        case .holdConfirmed: Correction.Deltas(held: -qty, sold: qty)
        case .holdCancelled, .holdExpired: Correction.Deltas(available: qty, held: -qty)
        default: held.correction?.books ?? .none
        }
    case .stock(_, let change):
      (sku, hold) = (change.sku.text, nil)
      deltas =
        change.correction?.books
        ?? Correction.Deltas(available: change.delta, supplied: change.delta)
    }
  }
}

/// The open dead letters, by what they are about.
struct OpenLetters {
  private(set) var bySKU: [String: [OpenLetter]] = [:]
  private(set) var byHold: [String: [OpenLetter]] = [:]
  /// Those that cannot be read.
  private(set) var unreadable: [String] = []
  private var known: Set<String> = []

  mutating func add(_ records: [DeadLetters.Record], arena: Arena) {
    for record in records where known.insert(record.letter.id).inserted {
      let letter = OpenLetter(record.letter, arena: arena)
      guard let sku = letter.sku else {
        unreadable.append(letter.id)
        continue
      }
      bySKU[sku, default: []].append(letter)
      if let hold = letter.hold { byHold[hold, default: []].append(letter) }
    }
  }

  /// Why a repair of this SKU would be too early; empty: it would not.
  func refusals(of sku: SKU) -> [String] {
    let own = (bySKU[sku.text] ?? []).map {
      "dead letter \($0.id) is about this SKU: replay or discard it first"
    }
    return own
      + unreadable.prefix(10).map {
        "dead letter \($0) cannot be read and may be about this SKU: replay or discard it first"
      }
  }
}
