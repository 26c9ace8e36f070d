/// Something in which the two stores, or two parts of one, differ.
public struct Difference: Hashable, Sendable {
  /// The name of a difference.  infra/README.md says of each who is right and what a repair writes.
  public enum Kind: String, Sendable, CaseIterable, Comparable {
    /// The figures of a SKU in Redis are not what its movements add up to.
    case counterDrift = "COUNTER_DRIFT"
    /// In Redis, available + held + sold is not supplied: the SKU is closed.
    case stockUnbalanced = "STOCK_UNBALANCED"
    /// `stock:<sku>` is not what the service wrote there: the SKU is closed until it is adopted.
    case stockShown = "STOCK_SHOWN"
    /// In the books, the sums of a SKU's movements do not balance.
    case booksUnbalanced = "BOOKS_UNBALANCED"
    /// Row and record of a hold differ.
    case holdState = "HOLD_STATE"
    /// Redis has a hold that the books do not have.
    case holdMissing = "HOLD_MISSING_IN_BOOKS"
    /// The books have a hold that Redis does not know, and should.
    case holdExtra = "HOLD_EXTRA_IN_BOOKS"
    /// A record that this version did not write.
    case holdUnreadable = "HOLD_UNREADABLE"
    /// A confirmed hold has no order.
    case orderMissing = "ORDER_MISSING"
    /// An order has no confirmed hold.
    case orderExtra = "ORDER_EXTRA"
    /// An order differs from its hold.
    case orderState = "ORDER_STATE"
    /// The movements of a hold are fewer than its state says.
    case movementMissing = "MOVEMENT_MISSING"
    /// There are movements without a cause.
    case movementExtra = "MOVEMENT_EXTRA"

    /// The order of the names.
    public static func < (one: Kind, other: Kind) -> Bool { one.rawValue < other.rawValue }
  }

  /// What kind it is.
  public let kind: Kind
  /// The SKU that it is about.
  public let sku: String
  /// The hold that it is about, as the books or Redis call it; nil: it is about the SKU.
  public let hold: String?
  /// What stands where, for a person.
  public let found: String
  /// The open dead letters that explain it, by event id; none: nothing does.
  public internal(set) var letters: [String] = []

  init(_ kind: Kind, sku: String, hold: String? = nil, _ found: String) {
    (self.kind, self.sku, self.hold, self.found) = (kind, sku, hold, found)
  }

  /// Whether an open dead letter explains it.
  public var isExplained: Bool { !letters.isEmpty }
}
