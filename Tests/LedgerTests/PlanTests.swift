import Foundation
import Harness
import Testing

@testable import Ledger

@Suite("Statements among many rows")
struct PlanTests {
  @Test("no session compiles its statements, whatever the database says")
  func compiling() throws {
    let books = try Books()
    try books.psql(
      """
      DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET jit = on', current_database());
        EXECUTE format('ALTER DATABASE %I SET jit_above_cost = 0', current_database());
      END $$
      """)
    let setting = Statement("setting", "SELECT current_setting('jit')")
    #expect(try books.connect().run(setting).text(0, 0) == "off")
  }

  @Test("a page of the audit costs what it has, not what the tables have")
  func page() throws {
    let books = try filled(holds: 40_000)
    let view = try BookView(in: books.connect())
    let first = try view.page(after: BookView.first, limit: 1_000)
    #expect(first.rows == 1_000 && first.items.count == 1_000)
    let cost = try cost(
      of: PackageResources.audit_page_sql, "text[], text[]",
      "'{\(BookView.first)}', '{\(try #require(first.last))}'", books)
    // With bounds that the planner did not know it was a million.
    #expect(cost < 20_000, "\(cost)")
  }

  @Test("pages pass every hold once, and the last one says so")
  func pages() throws {
    let view = try BookView(in: filled(holds: 2_500).connect())
    var (place, rows, ids) = (BookView.first, [Int](), Set<String>())
    while true {
      let page = try view.page(after: place, limit: 1_000)
      rows.append(page.rows)
      ids.formUnion(page.items.map(\.holdID))
      guard let last = page.last else { break }
      place = last
    }
    #expect(rows == [1_000, 1_000, 500] && ids.count == 2_500)
  }

  @Test("what has moved of late is found along the stream, each hold with its last movement")
  func moved() throws {
    let books = try filled(holds: 40_000)
    // The first hold has moved again, at the end.
    try books.psql(
      """
      INSERT INTO stock_movements (event_id, event_time, sku, cause, hold_id, available_delta,
        held_delta, sold_delta, supplied_delta, version, stream_ms, stream_seq)
      SELECT hold_id || '/2', event_time, sku, 'HOLD_EXTENDED', hold_id, 0, 0, 0, 0, 2, 50000, 0
      FROM stock_movements WHERE stream_ms = 1;
      """)
    try books.psql("VACUUM ANALYZE")
    let view = try BookView(in: books.connect())
    #expect(try view.moved(after: 10, to: 20).count == 10)
    #expect(try view.moved(after: 0, to: 2).count == 1, "the first hold has moved since")
    #expect(try view.moved(after: 49_999, to: 50_000).count == 1)
    let plan = try plan(
      of: PackageResources.audit_moved_sql, "bigint[], bigint[]", "'{100}', '{200}'", books)
    #expect(!plan.contains("Seq Scan on stock_movements"), "\(plan)")
  }

  @Test("what anybody writes into the tables of the audit is counted, and nothing else")
  func writes() async throws {
    let books = try filled(holds: 10)
    let view = try BookView(in: books.connect())
    var before = try view.writes()
    try await eventually("PostgreSQL has counted all so far") {
      let now = try view.writes()
      defer { before = now }
      return now == before
    }
    try books.psql("CREATE TABLE another (number integer); INSERT INTO another VALUES (1)")
    #expect(try view.writes() == before)
    for sql in [
      "UPDATE holds SET qty = qty", "DELETE FROM holds WHERE line = 7; DELETE FROM holds",
      "TRUNCATE orders",
    ] {
      try books.psql(sql)
      try await eventually(timeout: .seconds(20), "\(sql) is seen") {
        try view.writes() != before
      }
      before = try view.writes()
    }
  }

  // MARK: books

  /// Active holds of one unit each, one a millisecond.
  private func filled(holds: Int) throws -> Books {
    let books = try Books()
    _ = try books.open()
    try books.psql(
      """
      INSERT INTO holds (hold_id, sku, qty, user_id, status, expires_at, created_at,
        idempotency_key, version, changed_at, stream_ms, stream_seq)
      SELECT 'H-00' || lpad(n::text, 26, '0') || '-1795550803038', 'x', 1, 'u', 'ACTIVE',
        now() + interval '1 h', now(), 'k' || n, 1, now(), n, 0 FROM generate_series(1, \(holds)) AS n;
      INSERT INTO stock_movements (event_id, event_time, sku, cause, hold_id, available_delta,
        held_delta, sold_delta, supplied_delta, version, stream_ms, stream_seq)
      SELECT hold_id || '/1', created_at, sku, 'HOLD_CREATED', hold_id, -1, 1, 0, 0, 1, stream_ms, 0
      FROM holds ORDER BY stream_ms;
      """)
    try books.psql("VACUUM ANALYZE")
    return books
  }

  /// As the audit has it planned.
  private func plan(
    of sql: [UInt8], _ types: String, _ values: String, _ books: Books
  ) throws -> String {
    let text = String(decoding: sql, as: UTF8.self)
    return try books.psql(
      """
      SET plan_cache_mode = force_custom_plan; PREPARE one (\(types)) AS \(text);
      EXPLAIN EXECUTE one (\(values))
      """)
  }

  /// What the planner thinks that a statement costs.
  private func cost(
    of sql: [UInt8], _ types: String, _ values: String, _ books: Books
  ) throws -> Double {
    let plan = try plan(of: sql, types, values, books)
    let total = try #require(plan.firstMatch(of: /\.\.([0-9.]+) rows/)?.1)
    return try #require(Double(total))
  }
}
