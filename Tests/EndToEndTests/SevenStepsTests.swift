import Foundation
import Harness
import RPC
import Testing
import Wire

/// The tour of the original StockStream (Node.js), step by step, with `stockctl`, `redis-cli` and
/// `psql`, on the programs as they are shipped.
@Suite("The seven steps")
struct SevenStepsTests {
  @Test("seed, reserve, look into Redis, see the rows, confirm, sell out, repeat a key")
  func tour() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let postgres = try PostgresServer.shared()
    let database = try postgres.createDatabase()
    RedisServer.nameBooks(database)
    let worker = try Program.start(
      "stockworker",
      ["--redis", shop.redis.url, "--database", database, "--name", "worker-1"])
    try await worker.waitForLog("ready")
    func sql(_ text: String) throws -> String { try postgres.psql(database, text) }
    func json(_ outcome: Program.Outcome) throws -> [String: Any] {
      try #require(
        try JSONSerialization.jsonObject(with: Data(outcome.stdout.utf8)) as? [String: Any])
    }
    let sku = "iphone_15_pro_256"

    // 1. Seed stock with a bare SET.
    #expect(try shop.redis.cli("SET", "stock:\(sku)", "3") == "OK")

    // 2. Reserve.
    let first = try json(
      try shop.ctl("reserve", sku, "--qty", "1", "--user", "arnav", "--key", "idem-1", "--json"))
    let hold = try #require(first["hold_id"] as? String)
    #expect(hold.hasPrefix("H-") && first["available"] as? Int == 2)

    // 3. Look into Redis.
    #expect(try shop.redis.cli("GET", "stock:\(sku)") == "2")
    let key = try shop.redis.cli("KEYS", "hold:*")
    #expect(key.hasPrefix("hold:H-") && hold.hasPrefix(key.dropFirst("hold:".count)))
    let stream = try shop.redis.cli("XRANGE", "inventory.events", "-", "+", "COUNT", "5")
    #expect(stream.contains("STOCK_ADOPTED") && stream.contains("HOLD_CREATED"))

    // 4. See the rows in PostgreSQL.
    try await eventually("the hold is in the books") {
      try sql("SELECT status FROM holds WHERE hold_id = '\(hold)'") == "ACTIVE"
    }
    #expect(
      try sql("SELECT sku, qty, user_id, idempotency_key FROM holds") == "\(sku)|1|arnav|idem-1")
    #expect(
      try sql("SELECT event_type FROM processed_events ORDER BY event_type")
        == "HOLD_CREATED\nSTOCK_ADOPTED")

    // 5. Confirm, and see the order.
    let confirmed = try json(try shop.ctl("confirm", hold, "--payment-ref", "pay-1", "--json"))
    let order = try #require(confirmed["order_id"] as? String)
    try await eventually("the order is in the books") {
      try sql("SELECT order_id, hold_id, user_id, sku, qty, payment_ref FROM orders")
        == "\(order)|\(hold)|arnav|\(sku)|1|pay-1"
    }
    #expect(try sql("SELECT status FROM holds") == "CONFIRMED")

    // 6. Reserve until sold out.
    #expect(try shop.ctl("reserve", sku, "--user", "b", "--key", "idem-2").status == 0)
    #expect(try shop.ctl("reserve", sku, "--user", "c", "--key", "idem-3").status == 0)
    let soldOut = try shop.ctl("reserve", sku, "--user", "d", "--key", "idem-4", "--json")
    #expect(soldOut.status == 3)
    #expect(try json(soldOut)["outcome"] as? String == "SOLD_OUT")

    // 7. Repeat a key.
    let again = try json(
      try shop.ctl("reserve", sku, "--qty", "1", "--user", "arnav", "--key", "idem-1", "--json"))
    #expect(again["hold_id"] as? String == hold && again["status"] as? String == "CONFIRMED")
    #expect(try shop.redis.cli("GET", "stock:\(sku)") == "0")

    // The debugging tips.
    try await eventually("everything is acknowledged") {
      try shop.redis.cli("XPENDING", "inventory.events", "inventory.cg").hasPrefix("0")
    }
    #expect(try shop.redis.cli("XINFO", "GROUPS", "inventory.events").contains("inventory.cg"))
    #expect(try sql("SELECT count(*) FROM holds") == "3")
    #expect(
      try sql("SELECT cause, supplied_delta, available FROM stock_movements WHERE hold_id IS NULL")
        == "STOCK_ADOPTED|3|3")
    #expect(try worker.terminate() == 0)
    shop.close()
  }

  @Test("PostgreSQL away under load: selling goes on, and the books catch up")
  func booksCatchUp() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    try await shop.supply(1_000_000)
    let postgres = try PostgresServer.start()
    let database = try postgres.createDatabase()
    RedisServer.nameBooks(database)
    let worker = try Program.start(
      "stockworker", ["--redis", shop.redis.url, "--database", database, "--name", "w"])
    try await worker.waitForLog("ready")
    let crowd = Crowd(shop, buyers: 4)
    await crowd.start()
    try await eventually("the books fill") {
      try Int(postgres.psql(database, "SELECT count(*) FROM holds")) ?? 0 > 100
    }
    postgres.kill()
    let before = await crowd.held.count
    try await eventually("selling goes on without PostgreSQL") {
      await crowd.held.count > before + 2_000
    }
    await crowd.stop()
    try postgres.restart()
    let held = await crowd.held
    try await eventually(timeout: .seconds(30), "the books have caught up") {
      try Int(postgres.psql(database, "SELECT count(*) FROM holds")) == held.count
    }
    #expect(
      try Int(postgres.psql(database, "SELECT count(DISTINCT hold_id) FROM holds")) == held.count)
    #expect(
      try Int(postgres.psql(database, "SELECT count(*) FROM processed_events")) == held.count + 1)
    #expect(try worker.terminate() == 0)
    postgres.stop()
    shop.close()
  }
}
