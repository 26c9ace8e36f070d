public import Inventory

/// The row of a hold, as it stands in `holds`: not checked.
public struct HoldRow: Hashable, Sendable {
  /// As it stands there.
  public let id: String
  /// What is held.
  public let sku: String
  /// How many units.
  public let qty: Int64
  /// Who holds.
  public let user: String
  /// ACTIVE, CONFIRMED, CANCELLED or EXPIRED.
  public let status: String
  /// Milliseconds since 1970: the deadline.
  public let expiresAt: UInt64
  /// Milliseconds since 1970.
  public let createdAt: UInt64
  /// The idempotency key.
  public let key: String
  /// Empty: none.
  public let paymentRef: String
  /// One more with every change.
  public let version: Int64
  /// The stream entry that brought the row to its state: milliseconds of its id, and its number.
  public let stream: [Int64]

  /// A row as `audit_rows.sql` and `audit_traces.sql` select it.
  init(_ rows: Rows, _ row: Int) {
    id = rows.text(row, 0)
    sku = rows.text(row, 1)
    qty = Int64(rows.integer(row, 2) as Int32)
    user = rows.text(row, 3)
    status = rows.text(row, 4)
    expiresAt = rows.ms(row, 5)
    createdAt = rows.ms(row, 6)
    key = rows.text(row, 7)
    paymentRef = rows.text(row, 8)
    version = rows.integer(row, 9)
    stream = [rows.integer(row, 10), rows.integer(row, 11)]
  }
}

/// All that the books have of one hold.
public struct HoldTraces: Sendable {
  /// What its movements say together.
  public struct Movements: Hashable, Sendable {
    /// How many there are.
    public let count: Int64
    /// The first and the last of their SKUs; equal, unless somebody wrote one by hand.
    public let skus: [String]
    /// The newest version among them; 0: there are none.
    public let version: Int64
    /// What they add up to.
    public let deltas: Correction.Deltas
    /// The most units that one of them moves, corrections apart; 0: there are only those.
    public let units: Int64
  }

  /// The order of a hold.
  public struct Order: Hashable, Sendable {
    /// CONFIRMED or VOID.
    public let status: String
    /// What was sold.
    public let sku: String
    /// How many units.
    public let qty: Int64
    /// To whom.
    public let user: String
    /// The payment.
    public let paymentRef: String
  }

  /// nil: there is none.
  public let row: HoldRow?
  /// nil: there is none.
  public let order: Order?
  /// What its movements say together.
  public let movements: Movements

  /// All from their parts.
  public init(row: HoldRow?, order: Order?, movements: Movements) {
    (self.row, self.order, self.movements) = (row, order, movements)
  }

  /// A row as `audit_traces.sql` selects it.
  init(_ rows: Rows, _ row: Int) {
    self.row = rows.isNull(row, 1) ? nil : HoldRow(rows, row)
    order =
      rows.isNull(row, 12)
      ? nil
      : Order(
        status: rows.text(row, 12), sku: rows.text(row, 13),
        qty: Int64(rows.integer(row, 14) as Int32), user: rows.text(row, 15),
        paymentRef: rows.text(row, 16))
    movements = Movements(
      count: rows.integer(row, 17), skus: [rows.text(row, 18), rows.text(row, 19)],
      version: rows.integer(row, 20),
      deltas: Correction.Deltas(
        available: rows.integer(row, 21), held: rows.integer(row, 22),
        sold: rows.integer(row, 23)),
      units: rows.integer(row, 24))
  }
}
