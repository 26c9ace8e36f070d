import Foundation
import Synchronization
import Testing

@testable import Ledger

@Suite("Migrations")
struct MigrationTests {
  @Test("ten workers that start at once, twice, make the tables once")
  func atOnce() throws {
    let books = try Books()
    for _ in 0..<2 {
      let failures = Mutex<[String]>([])
      DispatchQueue.concurrentPerform(iterations: 10) { _ in
        do { try books.connect().migrate() } catch { failures.withLock { $0.append("\(error)") } }
      }
      #expect(failures.withLock { $0 } == [])
    }
    #expect(try books.psql("SELECT version, name FROM schema_migrations") == "1|books")
  }

  @Test("a database of a newer program is refused, and left alone")
  func newer() throws {
    let books = try Books()
    try books.connect().migrate()
    try books.psql("INSERT INTO schema_migrations (version, name) VALUES (99, 'future')")
    #expect(throws: MigrationError.databaseIsNewer(version: 99, known: 1)) {
      try books.connect().migrate()
    }
  }

  @Test("one that fails leaves nothing behind, and lets the next in")
  func failing() throws {
    let books = try Books()
    let connection = try books.connect()
    let broken = Migration(
      version: 2, name: "broken", sql: Array("CREATE TABLE half (id int); SELECT 1 / 0".utf8))
    #expect(throws: PostgresError.self) { try connection.migrate(to: Migration.all + [broken]) }
    #expect(try books.psql("SELECT to_regclass('half') IS NULL") == "t")
    #expect(try books.psql("SELECT max(version) FROM schema_migrations") == "1")
    try books.connect().migrate()
  }

  @Test(
    "rows that must not exist are refused",
    arguments: [
      "UPDATE holds SET status = 'HELD'",
      "UPDATE holds SET qty = 0",
      "UPDATE holds SET qty = 1000001",
      "UPDATE holds SET status = 'CONFIRMED'",
      "UPDATE holds SET payment_ref = 'pay'",
      "UPDATE holds SET expires_at = created_at",
      "UPDATE holds SET changed_at = created_at - interval '1 ms'",
      "UPDATE holds SET version = 0",
      "UPDATE holds SET user_id = ''",
      "UPDATE orders SET status = 'ACTIVE'",
      "UPDATE orders SET payment_ref = NULL",
      "UPDATE orders SET hold_id = 'unknown'",
      "DELETE FROM holds",
      "INSERT INTO orders SELECT gen_random_uuid(), line, hold_id, user_id, sku, qty, status, "
        + "payment_ref, created_at, stream_id FROM orders",
      "INSERT INTO stock_movements SELECT event_id || 'x', event_time, sku, cause, delta, "
        + "available + 1, held, sold, supplied, version, request_id, stream_id FROM stock_movements",
      "INSERT INTO stock_movements SELECT event_id || 'x', event_time, sku, 'STOCK_ADOPTED', delta, "
        + "available, held, sold, supplied, version, request_id, stream_id FROM stock_movements",
      "UPDATE stock_movements SET delta = 0",
      "DELETE FROM stock_movements",
      "TRUNCATE stock_movements",
    ])
  func constraints(sql: String) throws {
    let books = try Books()
    let sold = Example.hold(1)
    let outcome = try books.open().apply(
      entries([
        Example.confirmed(sold), .hold(.holdCreated, Example.hold(2)),
        .stock(.stockSet, Example.stock(1)),
      ]))
    #expect(outcome.applied == 3)
    let before = try books.rows()
    #expect(throws: (any Error).self) { try books.psql(sql) }
    #expect(try books.rows() == before)
  }

  @Test("no password in any text about an address")
  func secrets() {
    let address = DatabaseAddress("postgresql://anna:hush@127.0.0.1:1/books")
    #expect(address?.description == "postgresql://anna@127.0.0.1:1/books")
    #expect(DatabaseAddress("postgresql://anna:hush@[bad/books") == nil)
    #expect(DatabaseAddress("") == nil)
    let failure = #expect(throws: PostgresError.self) { try Postgres(address!, name: "test") }
    #expect(failure.map { "\($0)".contains("hush") } == false)
  }
}
