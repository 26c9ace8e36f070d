import Foundation
import Harness
import RPC
import Testing
import Wire

/// The audit and its repairs, as a person meets them.
@Suite("stockctl audit")
struct AuditCallTests {
  /// A shop that has sold one of ten, with its books.
  private func sold() async throws -> (Shop, Office) {
    let shop = try await Shop.open()
    try await shop.ready()
    let office = try await Office.open(redis: shop.redis)
    try await shop.supply(10)
    let client = shop.client()
    let hold = try await client.call(ReserveRequest.of("k")).holdID
    let confirmed = try await client.call(ConfirmRequest(holdID: hold, paymentRef: "p"))
    #expect(confirmed.outcome == .confirmed)
    await client.close()
    try await eventually("the order is in the books") {
      try office.sql("SELECT count(*) FROM orders") == "1"
    }
    return (shop, office)
  }

  @Test("balanced; an order lost: found, planned, and written again only with --yes and why")
  func repair() async throws {
    let (shop, office) = try await sold()
    defer {
      office.close()
      shop.close()
    }
    let well = try office.ctl("audit")
    #expect(well.status == 0 && well.stdout.contains("BALANCED"), "\(well.stdout)\(well.stderr)")
    #expect(try office.ctl("audit", "--sku", "x").status == 0)

    _ = try office.sql("DELETE FROM orders")
    let found = try office.ctl("audit")
    #expect(found.status == 11 && found.stdout.contains("ORDER_MISSING"), "\(found.stdout)")
    try await eventually(timeout: .seconds(10), "the continuous audit has named it") {
      try office.redis.cli("HGET", "inventory.audit", "kinds") == "ORDER_MISSING=1"
    }
    try await eventually("and the worker's health says so") {
      let health = try office.ctl("health")
      return health.status == 0 && health.stdout.contains("Redis and the books differ")
    }
    #expect(try office.ctl("state").stdout.contains("DIFFERS, ORDER_MISSING=1, by one"))

    let dry = try office.ctl("audit", "--sku", "x", "--repair")
    #expect(dry.status == 11 && dry.stdout.contains("would_write=HOLD_CORRECTED"))
    #expect(dry.stdout.contains("say --yes"))
    #expect(try office.sql("SELECT count(*) FROM orders") == "0")
    #expect(try office.ctl("audit", "--sku", "x", "--repair", "--yes").status == 64, "no reason")
    #expect(try office.ctl("audit", "--repair").status == 64, "no SKU")

    let done = try office.ctl(
      "audit", "--sku", "x", "--repair", "--yes", "--reason", "a test", "--actor", "ada")
    #expect(done.status == 0 && done.stdout.contains("verdict=BALANCED"), "\(done)")
    #expect(try office.sql("SELECT status FROM orders") == "CONFIRMED")
    #expect(
      try office.sql("SELECT actor, reason FROM stock_movements WHERE cause = 'HOLD_CORRECTED'")
        == "ada|a test")
    let again = try office.ctl("audit", "--json")
    #expect(again.status == 0)
    let object = try JSONSerialization.jsonObject(with: Data(again.stdout.utf8)) as? [String: Any]
    #expect(object?["verdict"] as? String == "BALANCED" && object?["skus"] as? Int == 1)
    try await eventually(timeout: .seconds(20), "the continuous audit agrees") {
      try office.ctl("state").stdout.contains("BALANCED, by one")
    }
  }

  @Test(
    "its worker killed in the middle (SIGKILL): the next repair ends it, and nothing is written twice"
  )
  func killed() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let office = try await Office.open(redis: shop.redis)
    try await shop.supply(1_000)
    let client = shop.client()
    let batch = try await client.call(
      BatchReserveRequest(items: (0..<400).map { ReserveRequest.of("k\($0)") }))
    #expect(try batch.results.allSatisfy { try $0.get().outcome == .held })
    await client.close()
    try await eventually("the holds are in the books") {
      try office.sql("SELECT count(*) FROM holds") == "400"
    }
    _ = try office.sql("DELETE FROM holds")

    let wishes = [
      "audit", "--sku", "x", "--repair", "--yes", "--reason", "a test", "--actor", "ada",
    ]
    let before = try Int(office.redis.cli("XLEN", "inventory.events"))!
    let caller = try Program.start("stockctl", wishes + ["--address", "\(office.address)"])
    try await eventually("some are written") {
      try Int(office.redis.cli("XLEN", "inventory.events"))! > before + 5
    }
    office.worker.kill()
    caller.stop()
    let worker = try Office.startWorker(shop.redis, office.database, office.address, name: "one")
    defer {
      worker.stop()
      office.close()
      shop.close()
    }
    try await worker.waitForLog("ready")
    var done: Program.Outcome?
    try await eventually(timeout: .seconds(30), "the second repair ends it") {
      done = try Program.run("stockctl", wishes + ["--address", "\(office.address)"])
      return done?.status == 0
    }
    #expect(done?.stdout.contains("verdict=BALANCED") == true, "\(done as Any)")
    let written = (done?.stdout ?? "").matches(of: /written=/).count
    #expect((1..<400).contains(written), "\(written) were left for the second")
    let corrections = """
      SELECT count(*), count(DISTINCT event_id) FROM stock_movements WHERE cause = 'HOLD_CORRECTED'
      """
    #expect(try office.sql(corrections) == "400|400")
    let active = "SELECT count(*), sum(qty) FROM holds WHERE status = 'ACTIVE'"
    #expect(try office.sql(active) == "400|400")
    #expect(try office.ctl("audit").status == 0)
  }

  @Test("another plan than the one that was seen is not carried out; a bad SKU is named")
  func statuses() async throws {
    let (shop, office) = try await sold()
    defer {
      office.close()
      shop.close()
    }
    _ = try office.sql("DELETE FROM orders")
    let client = office.client()
    func refusal(_ sku: String, _ actor: String = "ada") async -> Status? {
      let request = RepairRequest(sku: sku, plan: "0123", actor: actor, reason: "a test")
      guard
        case .failure(let status) = await outcome({ () throws(Status) in
          try await client.call(request, timeoutMs: 60_000)
        })
      else { return nil }
      return status
    }
    let changed = await refusal("x")
    #expect(changed?.code == .aborted && changed?.reason == "PLAN_CHANGED")
    #expect(changed?.outcomeUnknown == false)
    #expect(try office.sql("SELECT count(*) FROM orders") == "0")
    #expect(await refusal("a b")?.field == "sku")
    #expect(await refusal("x", "")?.field == "actor")
    await client.close()
    office.redis.kill()
    let away = try office.ctl("audit")
    #expect(away.status == 7 && away.stderr.contains("STORE_UNREACHABLE"), "\(away.stderr)")
  }

  @Test("a repair that cannot be done: the dry run says why and what to do, and nothing is written")
  func impossible() async throws {
    let (shop, office) = try await sold()
    defer {
      office.close()
      shop.close()
    }
    // Fifty units that nobody has supplied, and all of them are held.
    for (command, key) in [("HINCRBY", "sku:x available"), ("HINCRBY", "sku:x supplied")] {
      try shop.redis.cli([command] + key.split(separator: " ").map(String.init) + ["50"])
    }
    try shop.redis.cli("INCRBY", "stock:x", "50")
    let client = shop.client()
    let held = try await client.call(ReserveRequest.of("all", qty: 59))
    #expect(held.outcome == .held)
    await client.close()
    try await eventually("the hold is in the books") {
      try office.sql("SELECT count(*) FROM holds") == "2"
    }

    let dry = try office.ctl("audit", "--sku", "x")
    let why = "Redis would come to available -50, held +59, sold +1, supplied +10: 50 more are held"
    #expect(dry.status == 11 && dry.stdout.contains("refused=\(why)"), "\(dry)")
    #expect(dry.stdout.contains("stockctl stock adjust x --by 50"))
    let plan = try #require(dry.stdout.firstMatch(of: /plan=(\w+)/)?.1)
    let before = try shop.redis.cli("XLEN", "inventory.events")
    for command in [["--yes", "--reason", "r", "--actor", "ada"], []] {
      let done = try Program.run(
        "stockctl",
        ["audit", "--sku", "x", "--repair", "--address", "\(office.address)"] + command)
      #expect(done.status == 9 && done.stderr.contains("REPAIR_REFUSED"), "\(done)")
      #expect(done.stderr.contains("Nothing was written: \(why)"))
      #expect(!done.stderr.contains("outcome is unknown"))
    }
    let direct = office.client()
    let request = RepairRequest(sku: "x", plan: String(plan), actor: "ada", reason: "r")
    let refusal = await outcome { () throws(Status) in try await direct.call(request) }
    if case .failure(let status) = refusal {
      #expect(status.reason == "REPAIR_REFUSED" && !status.outcomeUnknown && !status.retryable)
      #expect(status.message.contains(why))
    } else {
      Issue.record("it was done: \(refusal)")
    }
    await direct.close()
    #expect(try shop.redis.cli("XLEN", "inventory.events") == before)

    // As it says.
    #expect(try shop.ctl("stock", "adjust", "x", "--by", "50", "--reason", "found").status == 0)
    try await eventually("the adjustment is in the books") {
      try office.sql("SELECT count(*) FROM stock_movements WHERE cause = 'STOCK_ADJUSTED'") == "1"
    }
    let done = try office.ctl(
      "audit", "--sku", "x", "--repair", "--yes", "--reason", "r", "--actor", "ada")
    #expect(done.status == 0 && done.stdout.contains("verdict=BALANCED"), "\(done)")
    let stock = try await shop.stock().figures
    #expect(stock.available == 0 && stock.held == 59 && stock.sold == 1 && stock.supplied == 60)
  }

  @Test("an answer that was lost: the repeat says that the plan has changed, and what that means")
  func lost() async throws {
    let (shop, office) = try await sold()
    guard case .tcp(_, let port) = office.address else { return }
    let wire = try CuttingProxy(to: port)
    defer {
      wire.stop()
      office.close()
      shop.close()
    }
    _ = try office.sql("DELETE FROM orders")
    wire.loseReplies(to: "Audit/Repair")
    let caller = try Program.start(
      "stockctl",
      [
        "audit", "--sku", "x", "--repair", "--yes", "--reason", "r", "--actor", "ada", "--address",
        "127.0.0.1:\(wire.port)",
      ])
    try await eventually("the answer is lost") { wire.cuts > 0 }
    wire.heal()
    #expect(caller.wait() == 6)
    #expect(caller.log.contains("PLAN_CHANGED") && caller.log.contains("may have written some"))
    #expect(!caller.log.contains("outcome is unknown"))
    #expect(try office.ctl("audit", "--sku", "x").status == 0)
  }

  @Test("Redis refuses, or a store is away: said to be unknown only where something may be written")
  func known() async throws {
    let (shop, office) = try await sold()
    defer {
      office.close()
      shop.close()
    }
    _ = try office.sql("DELETE FROM orders")
    let client = office.client()
    let plan = try await client.call(PlanRepairRequest(sku: "x")).plan
    await client.close()
    func refusal() async -> Status? {
      var options = StockClient.Options()
      options.waitsForServer = false
      let client = StockClient(to: office.address, options: options)
      let request = RepairRequest(sku: "x", plan: plan, actor: "ada", reason: "r")
      let result = await outcome { () throws(Status) in
        try await client.call(request, timeoutMs: 3_000)
      }
      await client.close()
      guard case .failure(let status) = result else { return nil }
      return status
    }
    // It would write, if it had a replica.
    try shop.redis.cli("CONFIG", "SET", "min-replicas-to-write", "1")
    let refused = await refusal()
    #expect(refused?.reason == "STORE_REFUSED" && refused?.outcomeUnknown == false)
    try shop.redis.cli("CONFIG", "SET", "min-replicas-to-write", "0")
    office.redis.kill()
    let away = await refusal()
    #expect(away?.reason == "STORE_UNREACHABLE" && away?.outcomeUnknown == false)
    #expect(try office.sql("SELECT count(*) FROM orders") == "0")
  }
}
