import Inventory
import Testing
import Wire

@testable import Ledger

@Suite("Corrections in the books")
struct CorrectionTests {
  private static func correction(_ books: Correction.Deltas = .none) -> Correction {
    Correction(
      actor: Label("anna")!, reason: Label("a hand slipped")!, found: "HOLD_STATE: it differed",
      books: books)
  }

  /// A hold as a correction leaves it.
  private static func corrected(
    _ hold: Hold, _ status: HoldStatus, version: UInt64, qty: UInt64 = 2,
    _ books: Correction.Deltas = .none
  ) -> Event {
    var hold = hold
    (hold.status, hold.version, hold.qty) = (status, version, qty)
    hold.changedAt += 20
    hold.paymentRef = status == .confirmed ? Label("pay_1") : nil
    hold.correction = correction(books)
    return .hold(.holdCorrected, hold)
  }

  private func row(_ books: Books, _ hold: Hold) throws -> String {
    try books.psql(
      "SELECT status, version, qty, (SELECT string_agg(orders.status || ' ' || orders.qty, ',') "
        + "FROM orders WHERE orders.hold_id = holds.hold_id) FROM holds "
        + "WHERE hold_id = '\(hold.id)'")
  }

  @Test("a correction says the whole state: row, order and sums, once, however often it comes")
  func applied() throws {
    let books = try Books()
    let ledger = try books.open()
    let hold = Example.hold(1)
    _ = try ledger.apply(entries([.hold(.holdCreated, hold), Example.confirmed(hold)]))
    try books.psql(
      "UPDATE holds SET qty = 9, status = 'ACTIVE', payment_ref = NULL; DELETE FROM orders")
    let event = Self.corrected(hold, .confirmed, version: 3)
    #expect(try ledger.apply(entries([event])).applied == 1)
    #expect(try row(books, hold) == "CONFIRMED|3|2|CONFIRMED 2")
    #expect(try ledger.apply(entries([event, event])).repeated == 2)
    #expect(try books.figures(of: hold.sku) == "-2|0|2|0")
    #expect(
      try books.psql(
        "SELECT cause, actor, reason, found FROM stock_movements WHERE actor IS NOT NULL")
        == "HOLD_CORRECTED|anna|a hand slipped|HOLD_STATE: it differed")
    // Which is when it was sold, not when it was corrected.
    #expect(
      try books.psql(
        "SELECT created_at = (SELECT event_time FROM stock_movements WHERE cause = "
          + "'HOLD_CONFIRMED') FROM orders") == "t")
  }

  @Test("an order without a sale is void, and sold after all when its hold is confirmed")
  func void() throws {
    let books = try Books()
    let ledger = try books.open()
    let hold = Example.hold(1)
    _ = try ledger.apply(entries([.hold(.holdCreated, hold)]))
    try books.psql(
      """
      INSERT INTO orders SELECT gen_random_uuid(), 1, hold_id, user_id, sku, 7, 'CONFIRMED', 'forged',
        created_at, 1, 1 FROM holds
      """)
    _ = try ledger.apply(entries([Self.corrected(hold, .active, version: 2)]))
    #expect(try row(books, hold) == "ACTIVE|2|2|VOID 7")
    _ = try ledger.apply(entries([Self.corrected(hold, .confirmed, version: 3)]))
    #expect(try row(books, hold) == "CONFIRMED|3|2|CONFIRMED 2")
    #expect(
      try books.psql("SELECT order_id FROM orders") == Identity().order(of: hold.id))
  }

  @Test("two corrections of one hold in one batch, and one that comes too late")
  func disorder() throws {
    let books = try Books()
    let ledger = try books.open()
    let hold = Example.hold(1)
    let events = [
      .hold(.holdCreated, hold), Self.corrected(hold, .active, version: 2, qty: 3),
      Self.corrected(hold, .cancelled, version: 3, qty: 2, .init(available: 2, held: -2)),
    ]
    #expect(try ledger.apply(entries(events)).applied == 3)
    #expect(try row(books, hold) == "CANCELLED|3|2|")
    #expect(try ledger.apply(entries([events[1]])).repeated == 1)
    #expect(try row(books, hold).hasPrefix("CANCELLED|3|"))
    #expect(try books.figures(of: hold.sku) == "0|0|0|0")
  }

  @Test("a correction of stock adds what it says, and leaves the figures it says")
  func stock() throws {
    let books = try Books()
    let ledger = try books.open()
    var change = Example.stock(2)
    change.requestID = nil
    change.figures = Figures(available: 7, held: 0, sold: 3, supplied: 10, version: 2)
    change.delta = 0
    change.correction = Self.correction(.init(available: -3, sold: 3))
    let outcome = try ledger.apply(
      entries([.stock(.stockSet, Example.stock(1)), .stock(.stockCorrected, change)]))
    #expect(outcome.applied == 2 && outcome.dead.isEmpty)
    #expect(try books.figures(of: change.sku) == "7|0|3|10")
    let view = try BookView(in: try books.connect())
    let changes = try view.stockChanges(of: change.sku)
    #expect(changes == (2, 0))
  }

  @Test("down to books without corrections and up again")
  func downAndUp() throws {
    let books = try Books()
    let hold = Example.hold(1)
    let ledger = try books.open()
    _ = try ledger.apply(
      entries([.hold(.holdCreated, hold), Self.corrected(hold, .active, version: 2)]))
    try books.psql(
      """
      INSERT INTO orders SELECT gen_random_uuid(), 1, hold_id, user_id, sku, 7, 'VOID', 'forged',
        created_at, 1, 1 FROM holds
      """)
    let connection = try books.connect()
    #expect(try connection.migrate(to: 2) == 2)
    #expect(try books.count("orders") == 0 && books.count("stock_movements") == 1)
    #expect(
      try books.psql("SELECT count(*) FROM pg_proc WHERE proname = 'correct_holds'") == "0")
    #expect(try connection.migrate(to: 3) == 3)
    #expect(try ledger.apply(entries([Self.corrected(hold, .active, version: 3)])).applied == 1)
  }

  @Test("the worker's role corrects by events, and by nothing else")
  func role() throws {
    let books = try Books()
    try books.psqlFile("infra/postgres/roles.sql")
    try Postgres(books.address(as: "stock_owner"), name: "test").migrate()
    let worker = try Postgres(books.address(as: "stock_worker"), name: "test")
    let hold = Example.hold(1)
    let outcome = try Ledger(in: worker).apply(
      entries([.hold(.holdCreated, hold), Self.corrected(hold, .confirmed, version: 2, qty: 3)]))
    #expect(outcome.applied == 2 && outcome.dead.isEmpty, "\(outcome)")
    #expect(try row(books, hold) == "CONFIRMED|2|3|CONFIRMED 3")
    for sql in ["UPDATE orders SET status = 'VOID'", "UPDATE holds SET qty = 1"] {
      #expect(throws: PostgresError.self) { try worker.execute(sql) }
    }
    let reader = try Postgres(books.address(as: "stock_reader"), name: "test")
    #expect(throws: PostgresError.self) {
      try reader.execute("SELECT correct_holds('{}','{}','{}','{}','{}','{}','{}','{}','{}','{}')")
    }
  }
}
