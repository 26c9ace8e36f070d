import HotPath
import Inventory
import Ledger

/// What another Redis has sold beside the one whose holds shall stand, as far as the books know: two
/// workers wrote events of both into them.
///
/// How it works.  Of a SKU that the books contradict themselves about, every active or confirmed hold that
/// this Redis does not know was made by the other one.  Each is set beside the hold that this Redis made
/// for the same units, in the order in which both were made.  Released, by an event each as every
/// correction is, they leave books that say one thing.
struct Split {
  /// A hold of the other Redis, and those who were promised the same units here.
  struct Pair: CustomStringConvertible {
    let other: Hold
    let own: [Hold]

    /// One line for a person.
    var description: String {
      let beside =
        own.isEmpty ? "nobody here" : own.map { Self.text(of: $0) }.joined(separator: ", ")
      return "\(other.sku): \(Self.text(of: other)), and \(beside)"
    }

    private static func text(of hold: Hold) -> String {
      let payment = hold.paymentRef.map { ", paid as \($0.text)" } ?? ""
      return "\(hold.user.text) (\(hold.id), \(hold.qty) \(hold.status.name)\(payment))"
    }
  }

  /// Who asks for the corrections, and why, as the books keep it.
  private static let (actor, reason) = (
    Label("stockworker --rebuild")!, Label("another Redis made this hold")!
  )

  /// Sold by the other one; oldest first.
  private(set) var pairs: [Pair] = []
  /// What still contradicts itself when those are released.
  private(set) var left: [BooksSnapshot.Contradiction] = []

  /// Looks at the holds of contradicting SKUs in the books and in Redis; changes nothing.
  /// - Parameter since: holds that were confirmed before may have been forgotten by Redis, and stand; in
  ///   milliseconds since 1970.
  init(
    _ contradictions: [BooksSnapshot.Contradiction], in snapshot: BooksSnapshot,
    beside store: StoreView, since: UInt64
  ) throws {
    for contradiction in contradictions {
      var (own, others): ([Hold], [Hold]) = ([], [])
      try snapshot.eachPromise(of: contradiction.sku, confirmedSinceMs: since) { page in
        let records = try store.holds(page.map(\.id.key)).records
        for (hold, record) in zip(page, records) {
          switch record {
          case .hold(let found) where found.id == hold.id: own.append(hold)
          case .ended(let found) where found.id == hold.id: own.append(hold)
          // Nobody can tell whose it was: it stands until a person has looked.
          case .unreadable: own.append(hold)
          case .absent, .hold, .ended: others.append(hold)
          }
        }
      }
      let begin = others.first?.createdAt ?? 0
      pairs += Self.pairs(others, with: own.filter { $0.createdAt >= begin })
      if let rest = contradiction.releasing(others) { left.append(rest) }
    }
  }

  /// Units in the order in which they were promised.
  private static func pairs(_ others: [Hold], with own: [Hold]) -> [Pair] {
    var place = 0
    var taken: UInt64 = 0
    return others.map { other in
      var (needed, beside): (UInt64, [Hold]) = (other.qty, [])
      while needed > 0, place < own.count {
        let units = min(needed, own[place].qty - taken)
        beside.append(own[place])
        (needed, taken) = (needed - units, taken + units)
        if taken == own[place].qty { (place, taken) = (place + 1, 0) }
      }
      return Pair(other: other, own: beside)
    }
  }

  /// Writes an event for each, which cancels it and gives its units back in the books.
  func release(through store: StoreView) throws {
    for pair in pairs {
      var hold = pair.other
      let units = Int64(hold.qty)
      let books =
        hold.status == .confirmed
        ? Correction.Deltas(available: units, sold: -units)
        : Correction.Deltas(available: units, held: -units)
      hold.status = .cancelled
      hold.version += 1
      hold.paymentRef = nil
      let correction = Correction(
        actor: Self.actor, reason: Self.reason,
        found: "not known to the Redis whose holds stand", books: books)
      _ = try store.write(HoldCorrection(hold: hold, expected: 0, correction: correction))
    }
  }
}

extension BooksSnapshot.Contradiction {
  /// What is left of it when these holds are released; nil: nothing.
  fileprivate func releasing(_ holds: [Hold]) -> BooksSnapshot.Contradiction? {
    func units(_ status: HoldStatus) -> Int64 {
      holds.reduce(0) { $0 + ($1.status == status ? Int64($1.qty) : 0) }
    }
    let (active, confirmed) = (units(.active), units(.confirmed))
    let rest = BooksSnapshot.Contradiction(
      sku: sku,
      movements: (available + active + confirmed, held - active, sold - confirmed, supplied),
      holds: (self.active - active, self.confirmed - confirmed))
    let isWhole =
      rest.available >= 0 && rest.held >= 0 && rest.sold >= 0 && rest.held == rest.active
    return isWhole ? nil : rest
  }
}
