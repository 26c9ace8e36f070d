import Inventory
import Testing
import Wire

@testable import Ledger

@Suite("The books as a person reads them")
struct BookListsTests {
  private static let holds = 60_000
  private static let start: UInt64 = 1_795_000_000_000

  /// Books with many holds: of 600 users and 60 SKUs, three each millisecond, every hundredth ACTIVE.
  private func filled() throws -> (Books, BookLists) {
    let books = try Books()
    _ = try books.open()
    try books.psql(
      """
      INSERT INTO holds (hold_id, sku, qty, user_id, status, expires_at, created_at,
        idempotency_key, version, changed_at, stream_ms, stream_seq)
      SELECT 'H-00' || lpad(i::text, 26, '0') || '-' || ms, 'sku-' || i % 60, 1, 'user-' || i % 600,
        CASE i % 100 WHEN 0 THEN 'ACTIVE' ELSE 'EXPIRED' END, at + interval '60 s', at, 'k', 2, at,
        i, 0
      FROM generate_series(1, \(Self.holds)) AS i,
        LATERAL (SELECT \(Self.start) + i / 3 AS ms) AS made,
        LATERAL (SELECT to_timestamp(ms / 1000.0) AS at) AS moment;
      INSERT INTO stock_movements (event_id, event_time, sku, cause, hold_id, available_delta,
        held_delta, sold_delta, supplied_delta, version, stream_ms, stream_seq)
      SELECT hold_id || '/1', created_at, sku, 'HOLD_CREATED', hold_id, -1, 1, 0, 0, 1, 5, 0 FROM holds;
      INSERT INTO stock_movements (event_id, event_time, sku, cause, available_delta, held_delta,
        sold_delta, supplied_delta, available, held, sold, supplied, version, request_id, stream_ms,
        stream_seq)
      SELECT 'sku-' || i || '/1', now(), 'sku-' || i, 'STOCK_SET', 9, 0, 0, 9, 9, 0, 0, 9, 1, 'r', i, 0
      FROM generate_series(0, 59) AS i;
      ANALYZE holds, stock_movements
      """)
    return (books, BookLists(in: try books.connect()))
  }

  private func id(_ number: Int) -> HoldID {
    let digits = "\(number)"
    let text = "H-00" + String(repeating: "0", count: 26 - digits.count) + digits
    return HoldID("\(text)-\(Self.start + UInt64(number) / 3)")!
  }

  /// Every page of a list, and how many there were.
  private func all(
    _ filter: BookLists.HoldFilter, in lists: BookLists, limit: Int
  ) throws -> (ids: [String], pages: Int) {
    var (ids, pages, last) = ([String](), 0, HoldID?.none)
    repeat {
      let page = try lists.holds(filter, after: last, limit: limit)
      #expect(page.holds.count <= limit)
      ids += page.holds.map(\.row.id)
      (last, pages) = (page.next, pages + 1)
    } while last != nil && pages < 10_000
    return (ids, pages)
  }

  @Test("every list goes along an index, with and without a plan of its own; none reads the table")
  func plans() throws {
    let (books, _) = try filled()
    var filters: [(BookLists.HoldFilter, String)] = []
    for user in [nil, Label("user-7")] {
      for sku in [nil, SKU("sku-7")] {
        for status in [nil, HoldStatus.active] {
          var filter = BookLists.HoldFilter()
          (filter.user, filter.sku, filter.status) = (user, sku, status)
          let index = user != nil ? "holds_user" : sku != nil ? "holds_sku" : "holds_created"
          filters.append((filter, index))
        }
      }
    }
    func text(_ value: String?) -> String { value.map { "ARRAY['\($0)']" } ?? "ARRAY[NULL]" }
    for mode in ["force_custom_plan", "force_generic_plan"] {
      func plan(_ statement: Statement, _ arguments: String) throws -> String {
        try books.psql(
          "SET plan_cache_mode = \(mode); PREPARE page AS \(statement.sql); "
            + "EXPLAIN EXECUTE page(\(arguments))")
      }
      for (filter, index) in filters {
        let found = try plan(
          BookLists.list(filter),
          [
            text(filter.user?.text), text(filter.sku?.text), text(filter.status?.name),
            "ARRAY['1970-01-01'::timestamptz]", "ARRAY['9999-12-31'::timestamptz]", "ARRAY['I']",
            "ARRAY[50]",
          ].joined(separator: ", "))
        #expect(found.contains(index) && !found.contains("Seq Scan on holds"), "\(mode): \(found)")
      }
      let page = "ARRAY['sku-7'], ARRAY[99], ARRAY[0], ARRAY[''], ARRAY[50]"
      let moved = try plan(.movements, page)
      #expect(moved.contains("stock_movements_sku"), "\(mode): \(moved)")
      let orders = try plan(.stockMovements, page)
      #expect(orders.contains("stock_movements_orders"), "\(mode): \(orders)")
      let life = try plan(.life, "ARRAY['\(id(7))'], ARRAY[200]")
      #expect(life.contains("stock_movements_pkey"), "\(mode): \(life)")
      for found in [moved, orders, life] { #expect(!found.contains("Seq Scan"), "\(found)") }
    }
  }

  @Test("pages: every hold once, newest first, whatever the filter")
  func pages() throws {
    let (books, lists) = try filled()
    var filter = BookLists.HoldFilter()
    filter.user = Label("user-7")
    let ofUser = try all(filter, in: lists, limit: 7)
    #expect(ofUser.ids.count == 100 && ofUser.pages == 15)
    #expect(
      ofUser.ids
        == (try books.psql(
          "SELECT hold_id FROM holds WHERE user_id = 'user-7' ORDER BY created_at DESC, hold_id DESC"
        ).split(separator: "\n").map(String.init)))
    filter.sku = SKU("sku-8")
    #expect(try all(filter, in: lists, limit: 7).ids.isEmpty, "both must be true")
    filter = BookLists.HoldFilter()
    filter.sku = SKU("sku-40")
    filter.status = .active
    let active = try all(filter, in: lists, limit: 200)
    #expect(active.ids.count == 200 && Set(active.ids).count == 200)
    // Three holds of each millisecond: a page that ends among them goes on among them.
    filter = BookLists.HoldFilter()
    (filter.createdFrom, filter.createdUntil) = (Self.start + 10, Self.start + 20)
    let some = try all(filter, in: lists, limit: 1)
    #expect(some.ids == (30..<60).reversed().map { "\(id($0))" })
  }

  @Test("a filter that matches little ends a page early, says where to go on, and finds all")
  func boundedPages() throws {
    let (_, lists) = try filled()
    var filter = BookLists.HoldFilter()
    filter.status = .active
    let first = try lists.holds(filter, after: nil, limit: 200)
    #expect(first.holds.count == 100 && first.next != nil, "10,000 were looked at")
    let active = try all(filter, in: lists, limit: 200)
    #expect(active.ids.count == Self.holds / 100 && active.pages == 7)
    filter.status = .confirmed
    let none = try lists.holds(filter, after: nil, limit: 200)
    #expect(none.holds.isEmpty && none.next != nil)
    #expect(try all(filter, in: lists, limit: 200).ids.isEmpty)
  }

  @Test("a page of movements ends among those of one entry, and the next goes on among them")
  func movements() throws {
    let (_, lists) = try filled()
    var (events, place) = ([String](), Movement.Place?.none)
    repeat {
      let page = try lists.movements(
        of: SKU("sku-7")!, stockOnly: false, after: place, limit: 300)
      events += page.map(\.place.event)
      place = page.count == 300 ? page.last?.place : nil
      if let text = place.map({ "\($0)" }) { #expect(Movement.Place(text) == place) }
    } while place != nil
    #expect(events.count == 1_001 && Set(events).count == 1_001)
    let orders = try lists.movements(of: SKU("sku-7")!, stockOnly: true, after: nil, limit: 9)
    #expect(orders.map(\.cause) == ["STOCK_SET"] && orders[0].after.available == 9)
    #expect(orders[0].requestID == "r" && orders[0].hold.isEmpty)
    for text in ["", "5", "5-0", "5-0 ", "5 x/1", "a-b x", "-5-0 x", "5-0 x y"] {
      #expect(Movement.Place(text) == nil, "\(text)")
    }
  }

  @Test("the life of a hold: each step by its version, and its row")
  func life() throws {
    let books = try Books()
    let ledger = try books.open()
    var hold = Example.hold(1)
    var events: [Event] = [.hold(.holdCreated, hold)]
    for version in 2...11 {
      (hold.version, hold.expiresAt) = (UInt64(version), hold.expiresAt + 1_000)
      hold.changedAt += 1
      events.append(.hold(.holdExtended, hold))
    }
    (hold.version, hold.status) = (12, .cancelled)
    hold.attribution = Attribution(actor: Label("ada"), reason: Label("a call"))
    events.append(.hold(.holdCancelled, hold))
    #expect(try ledger.apply(entries(events.reversed())).applied == 12)
    let lists = BookLists(in: try books.connect())
    let life = try lists.movements(of: hold.id)
    #expect(life.map(\.version) == Array(1...12))
    #expect(life[1...10].allSatisfy { $0.cause == "HOLD_EXTENDED" && $0.deltas == .none })
    #expect(life[11].actor == "ada" && life[11].reason == "a call")
    let row = try #require(try lists.hold(hold.id))
    #expect(row.row.status == "CANCELLED" && row.row.expiresAt == hold.expiresAt)
    #expect(row.changedAt == hold.changedAt)
    #expect(try lists.hold(Example.hold(2).id) == nil)
    #expect(try lists.movements(of: Example.hold(2).id).isEmpty)
  }
}
