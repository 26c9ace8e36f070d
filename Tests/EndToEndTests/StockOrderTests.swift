import Foundation
import Harness
import RPC
import Testing
import Wire

/// What a person does with stock at the command line, and where it is written down.
@Suite("stockctl stock")
struct StockOrderTests {
  private func json(_ text: String) throws -> [[String: Any]] {
    try text.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  @Test("set, adjust, retire: exit codes, JSON, and who and why in the books")
  func orders() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let office = try await Office.open(redis: shop.redis)
    defer {
      office.close()
      shop.close()
    }
    let set = try shop.ctl(
      "stock", "set", "x", "5", "--if-available", "0", "--reason", "delivery 17", "--actor", "ada",
      "--json")
    #expect(try json(set.stdout)[0]["available"] as? Int == 5, "\(set)")
    let stale = try shop.ctl("stock", "set", "x", "9", "--if-available", "4", "--json")
    #expect(stale.status == 6, "\(stale)")
    #expect(try json(stale.stdout)[0]["outcome"] as? String == "AVAILABLE_DIFFERS")
    let taken = try shop.ctl("stock", "adjust", "x", "--by", "-2", "--request-id", "a1")
    #expect(taken.status == 0 && taken.stdout.contains("STOCK_ADJUSTED"), "\(taken)")
    let again = try shop.ctl("stock", "adjust", "x", "--by", "-2", "--request-id", "a1")
    #expect(again.status == 0 && again.stdout.contains("REPEATED"), "\(again)")
    #expect(try shop.ctl("stock", "adjust", "x", "--by", "-4").status == 3)
    #expect(try shop.ctl("stock", "adjust", "y", "--by", "1").status == 5)
    #expect(try shop.ctl("stock", "adjust", "x", "--by", "0").status == 64)
    #expect(try shop.ctl("stock", "adjust", "x", "--by", "+7").status == 0)
    let unasked = try shop.ctl("stock", "retire", "x", "--reason", "end of line")
    #expect(unasked.status == 64 && unasked.stderr.contains("x would be taken off sale: say --yes"))
    #expect(try shop.ctl("stock", "retire", "x", "--reason", "end of line", "--yes").status == 0)
    let refused = try shop.ctl("reserve", "x", "--user", "u")
    #expect(refused.status == 3 && refused.stdout.contains("NOT_FOR_SALE"), "\(refused)")
    #expect(try shop.ctl("stock", "get", "x").stdout.contains("retired"))
    let bad = try shop.ctl("stock", "set", "x", "1", "--reason", String(repeating: "r", count: 129))
    #expect(bad.status == 64 && bad.stderr.contains("reason"), "\(bad)")

    try await eventually("all of it is in the books") {
      try office.sql("SELECT count(*) FROM stock_movements") == "4"
    }
    let audit = try office.ctl("audit")
    #expect(audit.status == 0 && audit.stdout.contains("BALANCED"), "\(audit)")
    let user = NSUserName()
    #expect(
      try office.sql(
        "SELECT cause, supplied_delta, available, actor, reason FROM stock_movements "
          + "ORDER BY version")
          == """
          STOCK_SET|5|5|ada|delivery 17
          STOCK_ADJUSTED|-2|3|\(user)|
          STOCK_ADJUSTED|7|10|\(user)|
          STOCK_RETIRED|0|10|\(user)|end of line
          """)
  }

  @Test("list: pages that a script and a person can follow, also while selling goes on")
  func list() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    defer { shop.close() }
    let client = shop.client()
    let names = (0..<450).map { "sku-\(String(format: "%03d", $0))" }
    for sku in names {
      let set = SetStockRequest(sku: sku, available: 10, requestID: "set \(sku)")
      _ = try await client.call(set)
    }
    let selling = Task {
      for number in 0..<2_000 where !Task.isCancelled {
        let sku = names[number * 7 % names.count]
        _ = try? await client.call(ReserveRequest.of("\(number)", sku: sku))
      }
    }
    for limit in [1, 130, 200] {
      var (found, next, pages) = ([String](), "", 0)
      repeat {
        let page = try await client.call(ListStockRequest(after: next, limit: limit))
        #expect(page.stock.count <= limit)
        #expect(page.stock.allSatisfy { $0.stock.figures.balance && !$0.isClosed })
        found += page.stock.map(\.stock.sku)
        (next, pages) = (page.next, pages + 1)
      } while !next.isEmpty
      #expect(found == names, "every SKU once, in order")
      #expect(pages >= names.count / limit)
    }
    selling.cancel()
    await selling.value
    await client.close()

    let first = try shop.ctl("stock", "list", "--limit", "2", "--json")
    let lines = try json(first.stdout)
    #expect(lines.count == 3 && lines[2]["next"] as? String == "sku-001", "\(first)")
    #expect(lines[0]["sku"] as? String == "sku-000" && lines[0]["state"] as? String == "ON SALE")
    let all = try shop.ctl("stock", "list", "--all", "--limit", "200").stdout
    #expect(all.split(separator: "\n").count == 451 && all.hasPrefix("sku "), "\(all.prefix(200))")
    #expect(all.contains("sku-449"))
    #expect(try shop.ctl("stock", "list", "--limit", "201").status == 64)
  }
}
