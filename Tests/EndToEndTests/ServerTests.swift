import Foundation
import Harness
import Inventory
import RPC
import Testing
import Wire

/// The server as it is run: started, interrupted, cut off, stopped.
@Suite("The server in bad company")
struct ServerTests {
  @Test("Redis killed and restarted under load, three times: nothing acknowledged is lost")
  func redisKilled() async throws {
    let shop = try await Shop.open()
    try await shop.supply(1_000_000)
    let crowd = Crowd(shop, buyers: 8)
    await crowd.start()
    for round in 1...3 {
      try await eventually("the crowd buys, round \(round)") {
        await crowd.held.count > round * 300
      }
      shop.redis.kill()
      try shop.redis.restart()
      try await shop.ready()
    }
    await crowd.stop()
    let held = await crowd.held
    let figures = try await shop.stock().figures
    #expect(figures.held == UInt64(held.count), "none lost, none taken twice")
    #expect(figures.balance && Set(held.values).count == held.count)
    let client = shop.client()
    for id in held.values.shuffled().prefix(200) {
      #expect(try await client.call(GetHoldRequest(holdID: id)).hold?.status == .active)
    }
    await client.close()
    shop.close()
  }

  @Test("replies of Redis lost again and again under load: every call is settled")
  func linkCut() async throws {
    let redis = try RedisServer.start()
    let proxy = try CuttingProxy(to: redis.port)
    let shop = try await Shop.open(redis: redis, proxyPort: proxy.port)
    try await shop.supply(1_000_000)
    let crowd = Crowd(shop, buyers: 8)
    await crowd.start()
    for round in 1...5 {
      try await eventually("the crowd buys, round \(round)") {
        await crowd.held.count > round * 100
      }
      proxy.loseReplies(to: "EVALSHA")
      try await eventually("a reply is lost") { proxy.cuts >= round }
      proxy.heal()
    }
    await crowd.stop()
    let held = await crowd.held
    let figures = try await shop.stock().figures
    #expect(figures.held == UInt64(held.count) && figures.balance)
    #expect(try shop.events("HOLD_CREATED") == held.count)
    shop.close()
    proxy.stop()
  }

  @Test("SIGTERM in the middle of a crowd: what was accepted is answered, and it exits 0")
  func terminated() async throws {
    let shop = try await Shop.open()
    try await shop.supply(1_000_000)
    let crowd = Crowd(shop, buyers: 8)
    await crowd.start()
    try await eventually("the crowd buys") { await crowd.held.count > 200 }
    #expect(try shop.server.terminate() == 0)
    let again = try Program.start(
      "stockd", ["--listen", "\(shop.address)", "--redis", shop.redis.url])
    try await again.waitForLog("listening on")
    await crowd.stop()
    let held = await crowd.held
    #expect(try await shop.stock().figures.held == UInt64(held.count))
    again.stop()
    shop.close()
  }

  @Test("a server killed in the middle of a crowd leaves nothing half-done")
  func killed() async throws {
    let shop = try await Shop.open()
    try await shop.supply(1_000_000)
    let crowd = Crowd(shop, buyers: 8)
    await crowd.start()
    try await eventually("the crowd buys") { await crowd.held.count > 200 }
    shop.server.kill()
    let again = try Program.start(
      "stockd", ["--listen", "\(shop.address)", "--redis", shop.redis.url])
    try await again.waitForLog("listening on")
    await crowd.stop()
    let held = await crowd.held
    let figures = try await shop.stock().figures
    #expect(figures.held == UInt64(held.count) && figures.balance)
    again.stop()
    shop.close()
  }

  @Test("without Redis: NOT_SERVING and a reason; it sells as soon as Redis is there")
  func startsWithoutRedis() async throws {
    let redis = try RedisServer.start()
    redis.kill()
    let shop = try await Shop.open(redis: redis)
    let client = shop.client()
    let health = try await client.call(HealthCheckRequest())
    #expect(health.status == .notServing && health.warnings.first?.hasPrefix("redis") == true)
    let early = await outcome { () throws(Status) in
      try await client.call(ReserveRequest.of("k"), timeoutMs: 200)
    }
    guard case .failure(let status) = early else { throw HarnessError("sold without a store") }
    #expect(status.reason == "STORE_UNREACHABLE" && !status.outcomeUnknown && status.retryable)
    try redis.restart()
    try await shop.ready()
    try await shop.supply(1)
    #expect(try await client.call(ReserveRequest.of("k")).outcome == .held)
    await client.close()
    shop.close()
  }

  @Test(
    "a Redis without an append-only file, and a server that promises MEMORY: degraded, it sells")
  func degraded() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    try await shop.server.waitForLog("redis link open")
    let client = shop.client()
    let health = try await client.call(HealthCheckRequest())
    #expect(health.status == .degraded && health.warnings.first?.contains("appendonly") == true)
    try await shop.supply(1)
    #expect(try await client.call(ReserveRequest.of("k")).outcome == .held)
    await client.close()
    shop.close()
  }

  @Test("several shards share a port and a stock")
  func shards() async throws {
    let shop = try await Shop.open(arguments: ["--shards", "3"])
    try await shop.supply(50)
    let outcomes = try await withThrowingTaskGroup(of: Outcome?.self) { group in
      for buyer in 0..<100 {
        group.addTask {
          let client = shop.client()
          let reply = try await client.call(
            ReserveRequest.of("k", user: "b\(buyer)"), timeoutMs: 20_000)
          await client.close()
          return reply.outcome
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes.filter { $0 == .held }.count == 50)
    let writers = Set(
      try shop.redis.cli("HKEYS", "fence").split(separator: "\n").filter { $0.contains(".") })
    #expect(writers.count > 1, "more than one shard has written")
    shop.close()
  }

  @Test("a figure changed by hand during a sale closes that SKU until it is adopted")
  func changedByHand() async throws {
    let shop = try await Shop.open()
    try await shop.supply(5)
    let client = shop.client()
    _ = try await client.call(ReserveRequest.of("a"))
    _ = try shop.redis.cli("SET", "stock:x", "50")
    let refused = await outcome { () throws(Status) in
      try await client.call(ReserveRequest.of("b"))
    }
    guard case .failure(let status) = refused else { throw HarnessError("it was sold") }
    #expect(status.code == .failedPrecondition && status.message.contains("'50'"))
    try await shop.server.waitForLog("stock mismatch")
    #expect(try await client.call(AdoptStockRequest(sku: "x")).outcome == .stockAdopted)
    #expect(try await client.call(ReserveRequest.of("b")).available == 49)
    #expect(try shop.events("STOCK_ADOPTED") == 1)
    await client.close()
    shop.close()
  }
}
