public import Inventory

/// A row of the books that this program could not have written.
public struct UnreadableRow: Error, CustomStringConvertible {
  /// Which, for a person.
  public let description: String
}

/// What the books say of all stock and all holds at one instant, for a rebuild of Redis.
///
/// One transaction that only reads (REPEATABLE READ), so that figures and holds belong together.  Rows
/// come one after the other, and none is kept.  One thread at a time; after an error, or when a body
/// throws, the connection is of no more use.
public final class BooksSnapshot {
  private let database: Postgres

  /// Begins the transaction; it ends with the connection.
  /// - Parameter database: not used for anything else from now on.
  public init(in database: Postgres) throws(PostgresError) {
    self.database = database
    try database.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
    try database.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
  }

  /// The figures of every SKU: the sums of its movements, and the version of its last change from
  /// outside; and whether it was retired after it was set last.
  public func eachSKU(_ body: (SKU, Figures) throws -> Void) throws {
    let statement = Statement(
      "snapshot_skus",
      """
      SELECT sku, sum(available_delta)::bigint, sum(held_delta)::bigint, sum(sold_delta)::bigint,
        sum(supplied_delta)::bigint, coalesce(max(version) FILTER (WHERE hold_id IS NULL), 0),
        coalesce(max(version) FILTER (WHERE cause = 'STOCK_RETIRED'), 0)
          > coalesce(max(version) FILTER (WHERE cause = 'STOCK_SET'), 0)
      FROM stock_movements GROUP BY sku ORDER BY sku
      """)
    try database.each(statement) { rows in
      let name = rows.text(0, 0)
      let sums: [Int64] = (1...5).map { rows.integer(0, $0) }
      guard let sku = SKU(name), sums.allSatisfy({ $0 >= 0 }) else {
        throw UnreadableRow(
          description: "the movements of SKU '\(name)' add up to less than nothing")
      }
      let figures = sums.map { UInt64($0) }
      try body(
        sku,
        Figures(
          available: figures[0], held: figures[1], sold: figures[2], supplied: figures[3],
          version: figures[4], isRetired: rows.flag(0, 6)))
    }
  }

  /// A SKU of which the books say two things.
  public struct Contradiction: Sendable, CustomStringConvertible {
    /// Its name.
    public let sku: String
    /// What its movements add up to, in units.
    public let (available, held, sold, supplied): (Int64, Int64, Int64, Int64)
    /// Units of its holds, by the state of their rows.
    public let (active, confirmed): (Int64, Int64)

    /// From its parts; `movements` are available, held, sold and supplied.
    public init(
      sku: String, movements: (Int64, Int64, Int64, Int64), holds: (active: Int64, confirmed: Int64)
    ) {
      self.sku = sku
      (available, held, sold, supplied) = movements
      (active, confirmed) = holds
    }

    /// One line for a person.
    public var description: String {
      var text =
        "\(sku): its movements say available \(available), held \(held), sold \(sold) of "
        + "\(supplied) supplied; its holds are \(active) active and \(confirmed) confirmed"
      if active + confirmed > supplied {
        text += ": \(active + confirmed - supplied) units are promised twice"
      }
      return text
    }
  }

  /// SKUs whose holds are not what their movements say, or whose movements add up to less than nothing.
  public func contradictions() throws -> [Contradiction] {
    var found: [Contradiction] = []
    let statement = Statement(
      "snapshot_contradictions",
      """
      SELECT coalesce(m.sku, h.sku), coalesce(m.available, 0)::bigint, coalesce(m.held, 0)::bigint,
        coalesce(m.sold, 0)::bigint, coalesce(m.supplied, 0)::bigint, coalesce(h.active, 0)::bigint,
        coalesce(h.confirmed, 0)::bigint
      FROM (
        SELECT sku, sum(available_delta) AS available, sum(held_delta) AS held,
          sum(sold_delta) AS sold, sum(supplied_delta) AS supplied
        FROM stock_movements GROUP BY sku
      ) AS m
      FULL JOIN (
        SELECT sku, sum(qty) FILTER (WHERE status = 'ACTIVE') AS active,
          sum(qty) FILTER (WHERE status = 'CONFIRMED') AS confirmed
        FROM holds GROUP BY sku
      ) AS h ON h.sku = m.sku
      WHERE coalesce(m.held, 0) <> coalesce(h.active, 0)
        OR least(m.available, m.held, m.sold, m.supplied) < 0 ORDER BY 1
      """)
    try database.each(statement) { rows in
      found.append(
        Contradiction(
          sku: rows.text(0, 0),
          movements: (
            rows.integer(0, 1), rows.integer(0, 2), rows.integer(0, 3), rows.integer(0, 4)
          ),
          holds: (rows.integer(0, 5), rows.integer(0, 6))))
    }
    return found
  }

  /// Holds of a page of `eachPromise`.
  public static let pageHolds = 256

  /// Every active hold of a SKU, and every one that was confirmed since, the oldest first, some at a time.
  /// - Parameter confirmedSinceMs: milliseconds since 1970.
  public func eachPromise(
    of sku: String, confirmedSinceMs: UInt64, _ body: ([Hold]) throws -> Void
  ) throws {
    let (name, since) = (Column(.text), Column(.bigint))
    name.add(sku)
    since.add(Int64(confirmedSinceMs))
    let statement = Statement(
      "snapshot_promises",
      """
      \(Self.holdColumns) FROM holds
      WHERE sku = ($1::text[])[1] AND (status = 'ACTIVE' OR status = 'CONFIRMED'
        AND changed_at >= to_timestamp(($2::bigint[])[1] / 1000.0))
      ORDER BY created_at, hold_id
      """)
    var page: [Hold] = []
    try database.each(statement, [name, since]) { rows in
      page.append(try Self.readable(rows))
      guard page.count == Self.pageHolds else { return }
      try body(page)
      page = []
    }
    if !page.isEmpty { try body(page) }
  }

  private static let holdColumns = """
    SELECT hold_id, sku, user_id, idempotency_key, coalesce(payment_ref, ''), status,
      qty::bigint, version, (extract(epoch FROM expires_at) * 1000)::bigint,
      (extract(epoch FROM changed_at) * 1000)::bigint
    """

  private static func readable(_ rows: Rows) throws -> Hold {
    guard let hold = hold(rows) else {
      throw UnreadableRow(description: "hold '\(rows.text(0, 0))' in the books cannot be read")
    }
    return hold
  }

  /// Since when holds must have ended to be looked at.
  public struct EndedSince: Sendable {
    /// Confirmed ones, in milliseconds since 1970.
    public let confirmedMs: UInt64
    /// Those that gave their units back, in milliseconds since 1970.
    public let releasedMs: UInt64

    /// What is remembered now.
    public init(_ retention: Retention, _ nowMs: UInt64) {
      confirmedMs = nowMs - min(nowMs, retention.confirmedMs)
      releasedMs = nowMs - min(nowMs, retention.releasedMs)
    }

    fileprivate var column: Column {
      let column = Column(.bigint)
      column.add(Int64(confirmedMs))
      column.add(Int64(releasedMs))
      return column
    }
  }

  private static let endedSince = """
    changed_at >= to_timestamp(
      CASE WHEN status = 'CONFIRMED' THEN ($1::bigint[])[1] ELSE ($1::bigint[])[2] END / 1000.0)
    """

  /// Every active hold, and every ended one that changed since; the oldest first.
  public func eachHold(endedSince since: EndedSince, _ body: (Hold) throws -> Void) throws {
    let statement = Statement(
      "snapshot_holds",
      """
      \(Self.holdColumns) FROM holds WHERE status = 'ACTIVE' OR \(Self.endedSince)
      ORDER BY created_at, expires_at
      """)
    try database.each(statement, [since.column]) { rows in try body(try Self.readable(rows)) }
  }

  /// How many these are.
  public func countHolds(endedSince since: EndedSince) throws -> (active: Int, ended: Int) {
    var count = (active: 0, ended: 0)
    let statement = Statement(
      "snapshot_count",
      """
      SELECT count(*) FILTER (WHERE status = 'ACTIVE'),
        count(*) FILTER (WHERE status <> 'ACTIVE' AND \(Self.endedSince))
      FROM holds
      """)
    try database.each(statement, [since.column]) { rows in
      let found: (Int64, Int64) = (rows.integer(0, 0), rows.integer(0, 1))
      count = (Int(found.0), Int(found.1))
    }
    return count
  }

  private static func hold(_ rows: Rows) -> Hold? {
    let numbers: [Int64] = (6...9).map { rows.integer(0, $0) }
    let reference = rows.text(0, 4)
    guard let id = HoldID(rows.text(0, 0)), let sku = SKU(rows.text(0, 1)),
      let user = Label(rows.text(0, 2)), let key = Label(rows.text(0, 3)),
      let status = HoldStatus.allCases.first(where: { $0.name == rows.text(0, 5) }),
      numbers.allSatisfy({ $0 > 0 })
    else { return nil }
    return Hold(
      id: id, status: status, version: UInt64(numbers[1]), sku: sku, qty: UInt64(numbers[0]),
      user: user, key: key, expiresAt: UInt64(numbers[2]), changedAt: UInt64(numbers[3]),
      paymentRef: reference.isEmpty ? nil : Label(reference))
  }

  /// Every change of stock that was asked for since, as far as its request is told from others.
  /// - Parameter sinceMs: milliseconds since 1970.
  public func eachStockOrder(
    sinceMs: UInt64, _ body: (StockOrder, _ atMs: UInt64) throws -> Void
  ) throws {
    let since = Column(.bigint)
    since.add(Int64(sinceMs))
    let statement = Statement(
      "snapshot_stock_orders",
      """
      SELECT sku, request_id, cause, available, supplied_delta,
        (extract(epoch FROM event_time) * 1000)::bigint
      FROM stock_movements
      WHERE request_id IS NOT NULL AND event_time >= to_timestamp(($1::bigint[])[1] / 1000.0)
      """)
    try database.each(statement, [since]) { rows in
      let (available, delta, at): (Int64, Int64, Int64) = (
        rows.integer(0, 3), rows.integer(0, 4), rows.integer(0, 5)
      )
      let change: StockOrder.Change? =
        switch EventType(rawValue: rows.text(0, 2)) {
        case .stockSet: .set(UInt64(available))
        case .stockAdjusted: .adjust(delta)
        case .stockRetired: .retire
        default: nil
        }
      guard let change, let sku = SKU(rows.text(0, 0)), let request = Label(rows.text(0, 1)) else {
        return
      }
      try body(StockOrder(change, of: sku, requestID: request), UInt64(at))
    }
  }
}
