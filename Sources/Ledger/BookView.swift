public import Inventory

/// The books as the audit reads them: sums, pages of holds, and all that they know of a hold.
///
/// Every statement is one moment of the books, and each event is in it whole or not at all.  One
/// thread at a time; after `PostgresError.lost` make another, on another connection.
public final class BookView {
  /// Rows of a SKU that one statement adds up.
  public static let sumRowsMax = 100_000

  /// Up to which stream id, for which SKU.
  public struct SumRequest {
    /// Which.
    public let sku: String
    /// Movements up to here are left out.
    public let after: (ms: Int64, sequence: Int64)
    /// Movements beyond are left out.
    public let to: (ms: Int64, sequence: Int64)

    /// A request from its parts.
    public init(
      sku: String, after: (ms: Int64, sequence: Int64), to: (ms: Int64, sequence: Int64)
    ) {
      (self.sku, self.after, self.to) = (sku, after, to)
    }
  }

  /// What some movements add up to.
  public struct Sum {
    /// The sums.
    public let deltas: Correction.Deltas
    /// How many movements.
    public let rows: Int
    /// The millisecond up to which they go, when there were `sumRowsMax` of them or more; else they
    /// are all that were asked for.
    public let lastMs: Int64
  }

  /// A page of holds.
  public struct Page {
    /// One that needs a look.
    public struct Item {
      /// As it stands there.
      public let holdID: String
      /// 0: there is no row.
      public let version: Int64
      /// Whether it is active.
      public let isActive: Bool
      /// Whether its row, its order and its movements disagree.
      public let disagrees: Bool
    }

    /// Active ones, and those that disagree.
    public let items: [Item]
    /// How many holds the page has.
    public let rows: Int
    /// Where the next page begins; nil: this is the last one.
    public let last: String?
  }

  private let database: Postgres
  private let texts = Column(.text)
  private let ends = Column(.text)
  private let numbers = (0..<4).map { _ in Column(.bigint) }

  /// The books in a database whose tables are up to date (`Postgres.migrate`).  From now on each statement of
  /// the connection is planned for its values.
  public init(in database: Postgres) throws(PostgresError) {
    self.database = database
    // How long a page or a list is, decides how it is read; a plan is a thousandth of that.
    try database.execute("SET plan_cache_mode = force_custom_plan")
  }

  /// Tries to be the only one who does something, until the connection ends.
  /// - Parameter name: what; a plain word.
  public func tryLock(_ name: String) throws(PostgresError) -> Bool {
    try database.run(
      Statement(
        "lock_\(name)",
        "SELECT pg_try_advisory_lock(hashtext('stockstream'), hashtext('\(name)'))")
    ).flag(0, 0)
  }

  /// Gives such a lock back.
  public func unlock(_ name: String) throws(PostgresError) {
    _ = try database.run(
      Statement(
        "unlock_\(name)",
        "SELECT pg_advisory_unlock(hashtext('stockstream'), hashtext('\(name)'))"))
  }

  /// Which deployment these books are of; nil: they have no name.
  public func deployment() throws(PostgresError) -> String? {
    try database.bookedEpoch()?.deployment
  }

  /// The SKUs that have movements, in order.
  /// - Parameter sku: goes on after this one; empty: from the first.
  public func skus(after sku: String, limit: Int) throws(PostgresError) -> [String] {
    texts.removeAll()
    texts.add(sku)
    numbers[0].removeAll()
    numbers[0].add(Int64(limit))
    let rows = try database.run(.skus, [texts, numbers[0]])
    return (0..<rows.count).map { rows.text($0, 0) }
  }

  /// What movements add up to, in the order of the requests.
  public func sums(_ requests: [SumRequest]) throws(PostgresError) -> [Sum] {
    texts.removeAll()
    for column in numbers { column.removeAll() }
    for request in requests {
      texts.add(request.sku)
      let bounds = [
        request.after.ms, request.after.sequence, request.to.ms, request.to.sequence,
      ]
      for (column, number) in zip(numbers, bounds) { column.add(number) }
    }
    let rows = try database.run(.sums, [texts] + numbers)
    return (0..<rows.count).map { row in
      Sum(
        deltas: Correction.Deltas(
          available: rows.integer(row, 1), held: rows.integer(row, 2),
          sold: rows.integer(row, 3), supplied: rows.integer(row, 4)),
        rows: Int(rows.integer(row, 5) as Int64), lastMs: rows.integer(row, 6))
    }
  }

  /// Some holds; the pages go on in the order of their ids.
  /// - Parameter id: goes on after this one; `BookView.first`: from the first.
  public func page(after id: String, limit: Int) throws(PostgresError) -> Page {
    texts.removeAll()
    texts.add(id)
    numbers[0].removeAll()
    numbers[0].add(Int64(limit))
    let end = try database.run(.end, [texts, numbers[0]])
    let last = end.count > 0 ? end.text(0, 0) : nil
    ends.removeAll()
    ends.add(last ?? Self.beyond)
    let rows = try database.run(.page, [texts, ends])
    var items: [Page.Item] = []
    var count = 0
    for row in 0..<rows.count {
      if rows.isNull(row, 0) {
        count = Int(rows.integer(row, 1) as Int64)
      } else {
        items.append(
          Page.Item(
            holdID: rows.text(row, 0), version: rows.isNull(row, 1) ? 0 : rows.integer(row, 1),
            isActive: !rows.isNull(row, 2) && rows.flag(row, 2), disagrees: rows.flag(row, 3)))
      }
    }
    return Page(items: items, rows: count, last: last)
  }

  /// The holds whose last movement came with an entry of some milliseconds of the stream.
  /// - Parameters:
  ///   - start: milliseconds up to here are left out.
  ///   - end: the last millisecond.
  public func moved(after start: UInt64, to end: UInt64) throws(PostgresError) -> [String] {
    for (column, ms) in zip(numbers, [start, end]) {
      column.removeAll()
      column.add(Int64(clamping: ms))
    }
    let rows = try database.run(.moved, Array(numbers[0...1]))
    return (0..<rows.count).map { rows.text($0, 0) }
  }

  /// Every hold that the books know of a SKU, in no order.
  public func holds(of sku: SKU) throws(PostgresError) -> [String] {
    texts.removeAll()
    texts.add(sku.text)
    let rows = try database.run(.ofSKU, [texts])
    return (0..<rows.count).map { rows.text($0, 0) }
  }

  /// What is another after somebody has written into the holds, the orders or the movements, whoever it
  /// was, at the latest ten seconds later; nil: PostgreSQL does not count what is written.
  public func writes() throws(PostgresError) -> String? {
    let rows = try database.run(.writes)
    return rows.isNull(0, 0) ? nil : rows.text(0, 0)
  }

  /// Before the first hold.
  public static let first = "H-"
  /// Behind the last hold.
  private static let beyond = "I"

  /// The rows of some holds, by id.
  public func rows(of holds: [String]) throws(PostgresError) -> [String: HoldRow] {
    texts.removeAll()
    for id in holds { texts.add(id) }
    let rows = try database.run(.rows, [texts])
    var found: [String: HoldRow] = [:]
    for row in 0..<rows.count { found[rows.text(row, 0)] = HoldRow(rows, row) }
    return found
  }

  /// All that the books have of some holds, by id.
  public func traces(of holds: [String]) throws(PostgresError) -> [String: HoldTraces] {
    texts.removeAll()
    for id in holds { texts.add(id) }
    let rows = try database.run(.traces, [texts])
    var traces: [String: HoldTraces] = [:]
    for row in 0..<rows.count { traces[rows.text(row, 0)] = HoldTraces(rows, row) }
    return traces
  }

  /// The version of the last correction of a SKU, and how many changes of stock came after it.
  public func stockChanges(of sku: SKU) throws(PostgresError) -> (corrected: Int64, since: Int64) {
    texts.removeAll()
    texts.add(sku.text)
    let rows = try database.run(.versions, [texts])
    return (rows.integer(0, 0), rows.integer(0, 1))
  }
}

extension Statement {
  fileprivate static let skus = Statement("audit_skus", PackageResources.audit_skus_sql)
  fileprivate static let sums = Statement("audit_sums", PackageResources.audit_sums_sql)
  fileprivate static let end = Statement("audit_end", PackageResources.audit_end_sql)
  fileprivate static let ofSKU = Statement("audit_of_sku", PackageResources.audit_of_sku_sql)
  fileprivate static let moved = Statement("audit_moved", PackageResources.audit_moved_sql)
  fileprivate static let writes = Statement("audit_writes", PackageResources.audit_writes_sql)
  fileprivate static let page = Statement("audit_page", PackageResources.audit_page_sql)
  fileprivate static let rows = Statement("audit_rows", PackageResources.audit_rows_sql)
  fileprivate static let traces = Statement("audit_traces", PackageResources.audit_traces_sql)
  fileprivate static let versions = Statement(
    "audit_versions", PackageResources.audit_versions_sql)
}
