import Foundation
import Inventory
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
    #expect(
      try books.psql("SELECT version, name FROM schema_migrations")
        == "1|books\n2|movements\n3|corrections\n4|fence\n5|discards\n6|orders"
        + "\n7|lists\n8|applied\n9|lease\n10|opened")
  }

  @Test("a database of a newer program is refused, and left alone")
  func newer() throws {
    let books = try Books()
    try books.connect().migrate()
    try books.psql("INSERT INTO schema_migrations (version, name) VALUES (99, 'future')")
    #expect(throws: MigrationError.databaseIsNewer(version: 99, known: Migration.newest)) {
      try books.connect().migrate()
    }
  }

  @Test("one that fails leaves nothing behind, and lets the next in")
  func failing() throws {
    let books = try Books()
    let connection = try books.connect()
    let broken = Migration(
      version: Migration.newest + 1, name: "broken",
      up: Array("CREATE TABLE half (id int); SELECT 1 / 0".utf8),
      down: [])
    #expect(throws: PostgresError.self) { try connection.migrate(with: Migration.all + [broken]) }
    #expect(try books.psql("SELECT to_regclass('half') IS NULL") == "t")
    #expect(try books.psql("SELECT max(version) FROM schema_migrations") == "\(Migration.newest)")
    try books.connect().migrate()
  }

  /// Each would make a row that must not exist.
  private static let wrong = [
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
    "UPDATE holds SET hold_id = 'box'",
    "UPDATE holds SET status = 'EXPIRED'",
    "UPDATE holds SET stream_ms = -1",
    Self.movement("event_id = 'box/9'"),
    Self.movement("cause = 'HOLD_SOLD'"),
    Self.movement("available_delta = -3"),
    Self.movement("held_delta = 1000001, available_delta = -1000001"),
    Self.movement("sold_delta = 2, held_delta = 0"),
    Self.movement("supplied_delta = 2"),
    Self.movement("cause = 'HOLD_CONFIRMED'"),
    Self.movement("cause = 'STOCK_ADOPTED'"),
    Self.movement("hold_id = NULL, event_id = 'box/1'"),
    Self.movement("request_id = 'request'"),
    Self.movement("available = 1"),
    Self.movement("available = available + 1", of: "STOCK_SET"),
    Self.movement("cause = 'STOCK_ADOPTED'", of: "STOCK_SET"),
    Self.movement("request_id = NULL", of: "STOCK_SET"),
    Self.movement("held_delta = 1, available_delta = 9", of: "STOCK_SET"),
    Self.movement("held = NULL", of: "STOCK_SET"),
    Self.movement("cause = 'HOLD_CORRECTED'"),
    Self.movement("actor = 'a', reason = 'b', found = 'c'"),
    Self.movement(
      "cause = 'HOLD_CORRECTED', actor = 'a', reason = 'b', found = 'c', held_delta = 3"),
    Self.movement("hold_id = 'x', event_id = 'x/1'"),
    Self.movement("actor = 'a'"),
    Self.movement("cause = 'HOLD_EXTENDED'"),
    Self.movement("cause = 'STOCK_ADJUSTED', request_id = NULL", of: "STOCK_SET"),
    Self.movement("cause = 'STOCK_RETIRED'", of: "STOCK_SET"),
    Self.movement("found = 'c'", of: "STOCK_SET"),
    Self.movement("reason = ''", of: "STOCK_SET"),
    Self.movement("actor = repeat('a', 129)", of: "STOCK_SET"),
    Self.movement(
      "cause = 'STOCK_CORRECTED', request_id = NULL, actor = 'a', reason = 'b', found = 'c', "
        + "sold_delta = 1", of: "STOCK_SET"),
    "UPDATE orders SET status = 'LOST'",
    "INSERT INTO stock_movements SELECT * FROM stock_movements",
    "UPDATE stock_movements SET supplied_delta = 0",
    "DELETE FROM stock_movements",
    "TRUNCATE stock_movements",
  ]

  @Test("rows that must not exist are refused")
  func refused() throws {
    let books = try Books()
    let sold = Example.hold(1)
    let outcome = try books.open().apply(
      entries([
        Example.confirmed(sold), .hold(.holdCreated, Example.hold(2)),
        .stock(.stockSet, Example.stock(1)),
      ]))
    #expect(outcome.applied == 3)
    let before = try books.rows()
    for sql in Self.wrong {
      #expect(throws: (any Error).self, "\(sql)") { try books.psql(sql) }
    }
    #expect(try books.rows() == before)
  }

  /// A copy of a movement with something wrong in it, under an event time of its own.
  private static func movement(_ change: String, of cause: String = "HOLD_CREATED") -> String {
    """
    CREATE TEMP TABLE wrong AS SELECT * FROM stock_movements WHERE cause = '\(cause)' LIMIT 1;
    UPDATE wrong SET event_time = event_time + interval '1 s';
    UPDATE wrong SET \(change);
    INSERT INTO stock_movements SELECT * FROM wrong
    """
  }

  @Test(
    "a movement that the tests of wrong ones start from is right by itself",
    arguments: [
      ("HOLD_CREATED", "version = version"), ("STOCK_SET", "version = version"),
      ("HOLD_CREATED", "cause = 'HOLD_EXTENDED', available_delta = 0, held_delta = 0"),
      (
        "HOLD_CREATED",
        "cause = 'HOLD_CANCELLED', available_delta = 2, held_delta = -2, actor = 'a', reason = 'b'"
      ),
      ("STOCK_SET", "cause = 'STOCK_ADJUSTED', reason = repeat('é', 64)"),
      ("STOCK_SET", "cause = 'STOCK_RETIRED', available_delta = 0, supplied_delta = 0"),
    ])
  func rightMovement(cause: String, change: String) throws {
    let books = try Books()
    _ = try books.open().apply(
      entries([.hold(.holdCreated, Example.hold(2)), .stock(.stockSet, Example.stock(1))]))
    try books.psql(Self.movement(change, of: cause))
    #expect(try books.count("stock_movements") == 3)
  }

  @Test("down, up and down again, with rows in every table")
  func upAndDown() throws {
    let books = try Books()
    var random = Seeded(7)
    let history = History(operations: 300, random: &random)
    _ = try books.open().apply(entries(history.events))
    let rows = try books.rows()
    let places =
      "SELECT event_id, stream_ms, stream_seq FROM stock_movements "
      + "WHERE cause <> 'HOLD_EXTENDED' ORDER BY 1, 2"
    let before = try books.psql(places)
    let connection = try books.connect()
    #expect(try connection.migrate(to: 1) == 1)
    #expect(try books.psql("SELECT max(version) FROM schema_migrations") == "1")
    #expect(try books.psql("SELECT count(*) FROM holds WHERE stream_id LIKE '%-0'") != "0")
    #expect(
      try books.count("stock_movements") == history.events.count { $0.type.rawValue.first == "S" })
    #expect(try connection.migrate(to: nil) == Migration.newest)
    var again = rows
    again.movements = ExpectedRows(of: history.events.compactMap(\.asBefore)).movements
    again.processed = ExpectedRows(of: history.events.compactMap(\.asBefore)).processed
    #expect(try books.rows() == again, "the movements of holds are told again")
    #expect(try books.psql(places) == before, "with their places in the stream")
    #expect(try connection.migrate(to: 0) == 0)
    #expect(try books.psql("SELECT to_regclass('holds') IS NULL") == "t")
    #expect(try connection.migrate(to: 2) == 2)
    #expect(try books.count("holds") == 0)
    #expect(throws: MigrationError.unknownVersion(99, known: Migration.newest)) {
      try connection.migrate(to: 99)
    }
  }

  @Test("the figures of every SKU stay the same on the way down and up")
  func figuresStay() throws {
    let books = try Books()
    var random = Seeded(11)
    let history = History(operations: 300, random: &random)
    _ = try books.open().apply(entries(history.events))
    let figures =
      "SELECT sku, sum(available_delta), sum(held_delta), sum(sold_delta), "
      + "sum(supplied_delta), max(version) FILTER (WHERE hold_id IS NULL) FROM stock_movements "
      + "GROUP BY sku ORDER BY sku"
    let before = try books.psql(figures)
    let connection = try books.connect()
    for version in Migration.all.map(\.version).reversed() where version >= 2 {
      #expect(try connection.migrate(to: version) == version)
      #expect(try books.psql(figures) == before, "at \(version)")
    }
    #expect(try connection.migrate(to: nil) == Migration.newest)
    #expect(try books.psql(figures) == before)
  }

  @Test("the worker's role applies, and can do nothing else; the reader only reads")
  func roles() throws {
    let books = try Books()
    try books.psqlFile("infra/postgres/roles.sql")
    let owner = try Postgres(books.address(as: "stock_owner"), name: "test")
    try owner.migrate()
    let worker = try Postgres(books.address(as: "stock_worker"), name: "test")
    try worker.migrate()  // nothing to do, and no right to do it
    var random = Seeded(3)
    let history = History(operations: 300, random: &random)
    let ledger = Ledger(in: worker)
    #expect(try ledger.apply(entries(history.events)).applied == history.events.count)
    #expect(try books.rows() == ExpectedRows(of: history.events))
    #expect(try ledger.apply(entries(history.events)).repeated == history.events.count)
    for sql in [
      "DELETE FROM holds", "UPDATE holds SET qty = 1", "UPDATE orders SET qty = 1",
      "DELETE FROM stock_movements", "TRUNCATE orders CASCADE",
      "UPDATE stock_movements SET sku = 'x'", "DELETE FROM discarded_letters",
      "UPDATE discarded_letters SET actor = 'x'",
      "ALTER TABLE stock_movements DISABLE TRIGGER ALL", "DROP TABLE orders",
      "INSERT INTO schema_migrations VALUES (9, 'mine')", "CREATE TABLE mine ()",
    ] {
      let failure = #expect(throws: PostgresError.self) { try worker.execute(sql) }
      #expect(failure.map { "\($0)".contains("42501") } == true, "\(sql): \(failure as Any)")
    }
    let reader = try Postgres(books.address(as: "stock_reader"), name: "test")
    try reader.execute("SELECT * FROM holds, orders, processed_events, stock_movements LIMIT 1")
    for sql in ["UPDATE holds SET status = status", "SELECT grant_stock_rights()"] {
      #expect(throws: PostgresError.self) { try reader.execute(sql) }
    }
  }

  @Test("what a worker of before inserts is refused as the state of the books, not as its fault")
  func olderWorker() throws {
    let books = try Books()
    try books.connect().migrate()
    let failure = #expect(throws: PostgresError.self) {
      try books.connect().execute(
        """
        INSERT INTO processed_events (event_id, event_type, event_time, stream_ms, stream_seq)
        VALUES ('H-0-0/1', 'HOLD_CREATED', now(), 1, 0)
        """)
    }
    #expect(failure?.isFaultOfData == false, "\(failure as Any)")
    #expect(try books.count("stock_movements") == 0)
  }

  @Test("what was applied before the eighth migration still counts as applied, on the way back too")
  func appliedBefore() throws {
    let books = try Books()
    let events: [Event] = [
      .hold(.holdCreated, Example.hold(1)), .stock(.stockSet, Example.stock(1)),
    ]
    _ = try books.open().apply(entries(events))
    let connection = try books.connect()
    #expect(try connection.migrate(to: 7) == 7)
    let columns = "event_id, event_type, event_time, stream_ms, stream_seq"
    let before = try books.psql("SELECT \(columns) FROM processed_events ORDER BY 1")
    #expect(before.split(separator: "\n").count == events.count)
    #expect(try books.count("processed_events WHERE processed_at IS NULL") == 0)
    #expect(try connection.migrate(to: nil) == Migration.newest)
    #expect(try books.psql("SELECT \(columns) FROM processed_events ORDER BY 1") == before)
    #expect(try Ledger(in: connection).apply(entries(events)).repeated == events.count)
  }

  @Test("an event of processed_events is found without reading the others")
  func appliedByKey() throws {
    let books = try Books()
    _ = try books.open()
    let plan = try books.psql(
      """
      SET enable_seqscan = off;
      EXPLAIN SELECT * FROM processed_events WHERE event_id = 'H-0-0/1'
      """)
    #expect(plan.contains("stock_movements_pkey"), "\(plan)")
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

extension Event {
  /// As books tell it that were once those of an older program.
  fileprivate var asBefore: Event? {
    switch self {
    case .hold(.holdExtended, _): return nil
    case .hold(let type, var hold):
      hold.attribution = nil
      return .hold(type, hold)
    case .stock(let type, var change):
      change.attribution = nil
      return .stock(type == .stockAdopted ? type : .stockSet, change)
    }
  }
}
