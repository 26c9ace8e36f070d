public import Inventory

/// The books as a person reads them: holds, and what has moved stock, newest first and a page at a
/// time.
///
/// Every statement looks at a bounded number of rows along one index (`list_holds.sql`: 10,000), so that
/// a page takes as long whatever the size of the books.  One thread at a time; after `PostgresError.lost` make another, on
/// another connection.
public final class BookLists {
  /// Movements of one hold that are told.
  static let lifeMax = 200

  /// Which holds: all that is named must be true.
  public struct HoldFilter: Sendable, Hashable {
    /// Who holds.
    public var user: Label?
    /// What is held.
    public var sku: SKU?
    /// As the books have it.
    public var status: HoldStatus?
    /// Made at this time or later, in milliseconds since 1970.
    public var createdFrom: UInt64 = 0
    /// Made before this time, in milliseconds since 1970.
    public var createdUntil: UInt64 = Ledger.timeMsMax

    /// Every hold.
    public init() {}
  }

  /// A hold as the books have it.
  public struct BookedHold: Sendable {
    /// Its row.
    public let row: HoldRow
    /// Milliseconds since 1970: the last change.
    public let changedAt: UInt64
  }

  private let database: Postgres
  private let texts = (0..<3).map { _ in Column(.text) }
  private let times = (0..<2).map { _ in Column(.timestamptz) }
  private let numbers = (0..<2).map { _ in Column(.bigint) }

  /// The books in a database whose tables are up to date (`Postgres.migrate`).
  public init(in database: Postgres) { self.database = database }

  /// Asks whether the database answers.
  public func ping() throws(PostgresError) { try database.ping() }

  // MARK: holds

  /// A page of holds, the newest first.
  /// - Parameters:
  ///   - last: goes on after this one; nil: with the newest.
  ///   - limit: of holds.
  /// - Returns: the holds, and where the next page begins; nil: this is the last one.
  public func holds(
    _ filter: HoldFilter, after last: HoldID?, limit: Int
  ) throws(PostgresError) -> (holds: [BookedHold], next: HoldID?) {
    fill(texts[0], filter.user?.text)
    fill(texts[1], filter.sku?.text)
    fill(texts[2], filter.status?.name)
    fill(times[0], ms: min(filter.createdFrom, Ledger.timeMsMax))
    var end = min(filter.createdUntil, Ledger.timeMsMax)
    // No id is beyond this; of the last one's millisecond, those before it follow.
    var before = "I"
    if let last, last.generation < end { (end, before) = (last.generation + 1, "\(last)") }
    fill(times[1], ms: end)
    let place = Column(.text)
    fill(place, before)
    fill(numbers[0], Int64(limit))
    let rows = try database.run(
      Self.list(filter), texts + times + [place, numbers[0]])
    var holds: [BookedHold] = []
    var next: HoldID?
    for row in 0..<rows.count {
      guard rows.isNull(row, 1) else {
        holds.append(BookedHold(row: HoldRow(rows, row), changedAt: rows.ms(row, 12)))
        continue
      }
      next = rows.isNull(row, 0) ? nil : HoldID(rows.text(row, 0))
    }
    if holds.count == limit { next = holds.last.flatMap { HoldID($0.row.id) } }
    return (holds, next)
  }

  /// The index that leads is that of the user, of the SKU, or of the time, in this order; the rest is
  /// looked for along it.
  static func list(_ filter: HoldFilter) -> Statement {
    let (name, lead) =
      if filter.user != nil {
        ("user", "user_id = ($1::text[])[1] AND")
      } else if filter.sku != nil {
        ("sku", "sku = ($2::text[])[1] AND")
      } else {
        ("time", "")
      }
    let file = String(decoding: PackageResources.list_holds_sql, as: UTF8.self)
    return Statement("list_holds_by_\(name)", file.replacing("/* lead */", with: lead))
  }

  /// One hold; nil: the books do not know it.
  public func hold(_ id: HoldID) throws(PostgresError) -> BookedHold? {
    fill(texts[0], id.description)
    let rows = try database.run(.listHold, [texts[0]])
    return rows.count == 0
      ? nil : BookedHold(row: HoldRow(rows, 0), changedAt: rows.ms(0, 12))
  }

  // MARK: movements

  /// A page of what has moved a SKU's figures, the newest first.
  /// - Parameters:
  ///   - stockOnly: without what holds have moved.
  ///   - place: goes on after this one; nil: with the newest.
  public func movements(
    of sku: SKU, stockOnly: Bool, after place: Movement.Place?, limit: Int
  ) throws(PostgresError) -> [Movement] {
    fill(texts[0], sku.text)
    fill(texts[1], place?.event ?? "")
    fill(numbers[0], place?.streamMs ?? .max)
    fill(numbers[1], place?.streamSequence ?? .max)
    let count = Column(.bigint)
    fill(count, Int64(limit))
    let rows = try database.run(
      stockOnly ? .stockMovements : .movements, [texts[0]] + numbers + [texts[1], count])
    return (0..<rows.count).map { Movement(rows, $0) }
  }

  /// The life of one hold, by its versions.
  public func movements(of hold: HoldID) throws(PostgresError) -> [Movement] {
    fill(texts[0], hold.description)
    fill(numbers[0], Int64(Self.lifeMax))
    let rows = try database.run(.life, [texts[0], numbers[0]])
    return (0..<rows.count).map { Movement(rows, $0) }
  }

  private func fill(_ column: Column, _ text: String?) {
    column.removeAll()
    column.add(text)
  }

  private func fill(_ column: Column, ms: UInt64) {
    column.removeAll()
    column.add(ms: ms)
  }

  private func fill(_ column: Column, _ number: Int64) {
    column.removeAll()
    column.add(number)
  }
}

extension Statement {
  static let movements = Statement(
    "list_movements",
    String(decoding: PackageResources.list_movements_sql, as: UTF8.self)
      .replacing("/* which */", with: ""))
  static let stockMovements = Statement(
    "list_stock_movements",
    String(decoding: PackageResources.list_movements_sql, as: UTF8.self)
      .replacing("/* which */", with: "AND hold_id IS NULL"))
  static let life = Statement("list_life", PackageResources.list_life_sql)
  fileprivate static let listHold = Statement("list_hold", PackageResources.list_hold_sql)
}
