import Foundation
import Harness
import Inventory
import Testing
import Wire

/// Redis's clock set back and forward while it runs, by Debian's `faketime` around that process alone.
@Suite("Redis's clock", .enabled(if: FakeClock.isPossible, "libfaketime is not installed"))
struct ClockTests {
  private static let hourMs: Int64 = 3_600_000
  private static let dayMs: Int64 = 86_400_000

  private func reserve(
    _ market: Market, _ key: String, ttlMs: UInt64
  ) async throws -> ReserveReply {
    let reply = try await market.with {
      try await $0.call(
        ReserveRequest(sku: "x", qty: 1, userID: "u", idempotencyKey: key, ttlMs: ttlMs))
    }
    #expect(reply.outcome == .held)
    return reply
  }

  private func hold(_ id: String, _ market: Market) async throws -> HoldView {
    let reply = try await market.with { try await $0.call(GetHoldRequest(holdID: id)) }
    return try #require(reply.hold)
  }

  private func confirm(_ id: String, _ market: Market) async throws -> Outcome? {
    try await market.with {
      try await $0.call(ConfirmRequest(holdID: id, paymentRef: "p"))
    }.outcome
  }

  @Test("set back an hour: time stands still and never goes back; when it catches up, all expires")
  func back() async throws {
    let clock = try FakeClock()
    let market = try await Market.open(try RedisServer.start(environment: clock.environment))
    defer { market.close() }
    try await market.supply(10)
    let before = try await reserve(market, "a", ttlMs: 60_000)
    let born = try await hold(before.holdID, market).createdAt
    try clock.set("-3600")
    let seconds = Int64(try market.redis.cli("TIME").split(separator: "\n")[0])
    #expect(try #require(seconds) * 1_000 < born - Self.hourMs / 2, "the clock is back")
    let during = try await reserve(market, "b", ttlMs: 1_000)
    let later = try await hold(during.holdID, market)
    #expect(later.createdAt >= born && later.createdAt < born + 60_000)
    #expect(try await confirm(before.holdID, market) == .confirmed, "no deadline came early")
    let entries = try market.redis.cli("XRANGE", "inventory.events", "-", "+")
      .split(separator: "\n").filter { $0.wholeMatch(of: /\d+-\d+/) != nil }
    #expect(entries == entries.sorted { Self.order($0) < Self.order($1) })
    // It goes on as it is until the clock has caught up; then it expires like any other.
    try clock.set("+2")
    try await eventually("expired, and the unit is back") {
      try await hold(during.holdID, market).status == .expired
        && market.redis.cli("GET", "stock:x") == "9"
    }
    let figures = try await market.figures()
    #expect(figures == Figures(available: 9, held: 0, sold: 1, supplied: 10, version: 1))
  }

  @Test(
    "forward a day: holds expire at once; set right again, new ones live a day longer, not for ever"
  )
  func forward() async throws {
    let clock = try FakeClock()
    let market = try await Market.open(try RedisServer.start(environment: clock.environment))
    defer { market.close() }
    try await market.supply(10)
    let early = try await reserve(market, "a", ttlMs: 3_600_000)
    let born = try await hold(early.holdID, market).createdAt
    try clock.set("+86400")
    try await eventually("an hour's hold has expired, and the unit is back") {
      try await hold(early.holdID, market).status == .expired
        && market.redis.cli("GET", "stock:x") == "10"
    }
    #expect(try await confirm(early.holdID, market) == .expired)
    // Set right: time stands still for a day.
    try clock.set("+0")
    let during = try await reserve(market, "b", ttlMs: 1_000)
    let kept = try await reserve(market, "c", ttlMs: 1_000)
    let stamped = try await hold(during.holdID, market)
    #expect(stamped.createdAt >= born + Self.dayMs, "never back")
    #expect(stamped.status == .active)
    #expect(try await confirm(kept.holdID, market) == .confirmed, "and so nothing expires early")
    // A day later it ends like any other.
    try clock.set("+86410")
    try await eventually("expired, and the unit is back") {
      try await hold(during.holdID, market).status == .expired
        && market.redis.cli("GET", "stock:x") == "9"
    }
    #expect(try await market.figures().balance)
  }

  @Test("after a jump forward and back the worker goes on, and still trims what the books have")
  func trimming() async throws {
    let clock = try FakeClock()
    let market = try await Market.open(try RedisServer.start(environment: clock.environment))
    let database = try PostgresServer.shared().createDatabase()
    RedisServer.nameBooks(database)
    let worker = try Program.start(
      "stockworker",
      [
        "--redis", market.redis.url, "--database", database, "--name", "one",
        "--trim-window", "0",
      ])
    defer {
      worker.stop()
      market.close()
    }
    try await worker.waitForLog("ready")
    try await market.supply(1_000_000)
    try clock.set("+86400")
    _ = try await reserve(market, "a", ttlMs: 3_600_000)
    try clock.set("+0")
    let buyers = Buyers(market, run: 0)
    await buyers.start()
    // Whole nodes of Redis's tree go at a time: there must be some.
    try await eventually("there is something to trim") {
      try Int(
        market.redis.cli("XINFO", "STREAM", "inventory.events").firstMatch(
          of: /entries-added\n(\d+)/)?.1 ?? "0") ?? 0 > 1_000
    }
    await buyers.stop()
    try await eventually("the stream has become short") {
      try Int(market.redis.cli("XLEN", "inventory.events")) ?? .max < 500
    }
    let told = await buyers.told.count
    #expect(
      try PostgresServer.shared().psql(database, "SELECT count(*) FROM holds") == "\(told + 1)")
  }

  private static func order(_ id: Substring) -> (Int, Int) {
    let parts = id.split(separator: "-").map { Int($0) ?? 0 }
    return (parts[0], parts[1])
  }
}
