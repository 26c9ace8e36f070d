import Foundation
import Harness
import Inventory
import RPC
import Testing
import Wire

/// What the books say, as a worker tells it and as a person reads it.
@Suite("Records")
struct RecordsTests {
  private func json(_ text: String) throws -> [[String: Any]] {
    try text.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  @Test("lists of holds and histories, by call and at the command line")
  func lists() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let office = try await Office.open(redis: shop.redis)
    defer {
      office.close()
      shop.close()
    }
    try await shop.supply(10)
    try await shop.supply(10, of: "y")
    let client = shop.client()
    var ids: [String] = []
    for number in 0..<5 {
      let sku = number == 4 ? "y" : "x"
      let user = number % 2 == 0 ? "ada ☕" : "bob"
      ids.append(
        try await client.call(ReserveRequest.of("\(number)", sku: sku, user: user)).holdID)
    }
    _ = try await client.call(ConfirmRequest(holdID: ids[0], paymentRef: "pay-1"))
    await client.close()
    let extended = try shop.ctl("hold", "extend", ids[1], "--by", "15m", "--json")
    #expect(try json(extended.stdout)[0]["version"] as? Int == 2, "\(extended)")
    let released = try shop.ctl(
      "hold", "release", ids[1], "--reason", "the buyer has called", "--actor", "ada", "--yes")
    #expect(released.status == 0 && released.stdout.contains("CANCELLED"), "\(released)")
    #expect(try shop.ctl("hold", "release", ids[0], "--reason", "r", "--yes").status == 6)
    #expect(try shop.ctl("hold", "release", ids[2], "--reason", "r").status == 64, "no --yes")
    #expect(try shop.ctl("hold", "release", ids[2]).status == 64, "no reason")
    #expect(try shop.ctl("hold", "extend", ids[2]).status == 64, "neither --by nor --until")
    #expect(try shop.ctl("hold", "extend", ids[2], "--until", "0").status == 64)
    let passed = try shop.ctl("hold", "extend", ids[2], "--until", "5")
    #expect(passed.status == 0 && passed.stdout.contains("REPEATED"), "\(passed)")
    try await eventually("all of it is in the books") {
      try office.sql("SELECT count(*) FROM stock_movements") == "10"
    }

    func listed(_ arguments: String...) throws -> [String] {
      let run = try Program.run(
        "stockctl", ["hold", "list", "--json", "--address", "\(office.address)"] + arguments)
      #expect(run.status == 0, "\(arguments): \(run)")
      return try json(run.stdout).compactMap { $0["hold_id"] as? String }
    }
    #expect(try Set(listed()) == Set(ids))
    #expect(try Set(listed("--user", "bob")) == [ids[1], ids[3]])
    #expect(try listed("--sku", "y") == [ids[4]])
    #expect(try listed("--sku", "x", "--status", "confirmed") == [ids[0]])
    #expect(try listed("--status", "CANCELLED") == [ids[1]])
    #expect(try listed("--older-than", "1h").isEmpty)
    #expect(try listed("--younger-than", "1h", "--limit", "2", "--all").count == 5)
    #expect(try listed("--limit", "2").count == 2)
    let table = try office.ctl("hold", "list", "--status", "CONFIRMED")
    #expect(table.stdout.hasPrefix("hold id") && table.stdout.contains("CONFIRMED"), "\(table)")

    let history = try json(try office.ctl("stock", "history", "x", "--json", "--all").stdout)
    #expect(history.count == 8 && history[0]["cause"] as? String == "HOLD_CANCELLED")
    #expect(history[0]["reason"] as? String == "the buyer has called")
    #expect(history[0]["actor"] as? String == "ada" && history[0]["available_delta"] as? Int == 1)
    #expect(history.last?["cause"] as? String == "STOCK_SET")
    #expect((history[0]["stream_id"] as? String)?.contains("-") == true)
    let orders = try json(try office.ctl("stock", "history", "x", "--stock-only", "--json").stdout)
    #expect(orders.count == 1 && orders[0]["available"] as? Int == 10)
    let page = try json(try office.ctl("stock", "history", "x", "--limit", "3", "--json").stdout)
    let next = try #require(page.last?["next"] as? String)
    let rest = try office.ctl("stock", "history", "x", "--after", next, "--json")
    #expect(try page.count == 4 && json(rest.stdout).count == 5)
    let life = try office.ctl("hold", "history", ids[1])
    #expect(life.status == 0 && life.stdout.contains("HOLD_EXTENDED"), "\(life)")
    #expect(life.stdout.contains("the buyer has called") && life.stdout.contains("CANCELLED"))
    let nobody = "H-" + String(repeating: "0", count: 28) + "-1"
    #expect(try office.ctl("hold", "history", nobody).status == 5)
    let audit = try office.ctl("audit")
    #expect(audit.status == 0 && audit.stdout.contains("BALANCED"), "\(audit)")
  }

  @Test("bad fields are named; without PostgreSQL the call says so, and comes back")
  func statuses() async throws {
    let office = try await Office.open(ownPostgres: true)
    defer { office.close(ownPostgres: true) }
    let client = office.client()
    func refusal<Request: RequestMessage & Sendable>(_ request: Request) async -> Status? {
      let result = await outcome { () throws(Status) in
        try await client.call(request, timeoutMs: 20_000)
      }
      guard case .failure(let status) = result else { return nil }
      return status
    }
    var bad: [(ListHoldsRequest, String)] = []
    func add(_ field: String, _ change: (inout ListHoldsRequest) -> Void) {
      var request = ListHoldsRequest()
      change(&request)
      bad.append((request, field))
    }
    add("user_id") { $0.userID = "a\n" }
    add("sku") { $0.sku = "a b" }
    add("status") { $0.status = "HELD" }
    add("created_from") { $0.createdFrom = -1 }
    add("created_until") { $0.createdUntil = -1 }
    add("after") { $0.after = "H-1" }
    add("limit") { $0.limit = 201 }
    for (request, field) in bad { #expect(await refusal(request)?.field == field) }
    let nobody = "H-" + String(repeating: "0", count: 28) + "-1"
    var both = HistoryRequest(holdID: nobody)
    both.sku = "x"
    for (request, field) in [
      (HistoryRequest(sku: ""), "sku"), (HistoryRequest(holdID: "H-1"), "hold_id"),
      (both, "hold_id"), (HistoryRequest(sku: "x", after: "here"), "after"),
      (HistoryRequest(sku: "x", limit: 201), "limit"),
    ] { #expect(await refusal(request)?.field == field) }
    #expect(try await client.call(HistoryRequest(holdID: nobody)) == HistoryReply())

    office.postgres.kill()
    let away = await refusal(ListHoldsRequest())
    #expect(away?.reason == "BOOKS_UNREACHABLE" && away?.retryable == true, "\(away as Any)")
    #expect(away?.outcomeUnknown == false)
    try office.postgres.restart()
    try await eventually("the books are read again") {
      try await client.call(ListHoldsRequest()) == ListHoldsReply()
    }
    await client.close()
  }
}
