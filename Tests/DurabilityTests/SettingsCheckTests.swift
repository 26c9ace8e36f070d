import Harness
import Inventory
import RPC
import Testing
import Wire

/// What the server does with a Redis that is not set as `infra/redis/redis.conf` says.
@Suite("The settings of Redis are checked")
struct SettingsCheckTests {
  /// A setting that breaks the promise, its value that does, and what the refusal must name.
  static let breaking = [
    ("appendonly", "no", "yes"), ("appendfsync", "everysec", "always"),
    ("no-appendfsync-on-rewrite", "yes", "no"), ("maxmemory-policy", "allkeys-lru", "noeviction"),
  ]

  private func expectClosed(_ market: Market, naming setting: String) async throws {
    try await eventually("not ready, for the reason \(setting)") {
      let health = try await market.health()
      return health.status == .notServing
        && health.warnings.contains { $0.contains(setting) }
    }
    for request in [ReserveRequest.of("closed"), .of("closed", at: .fsync)] {
      let status = try await market.refusal(of: request)
      #expect(status.code == .failedPrecondition && status.reason == "ACKNOWLEDGE_UNAVAILABLE")
      #expect(status.message.contains(setting) && status.field == "acknowledge")
      #expect(!status.outcomeUnknown)
    }
    #expect(try market.redis.cli("KEYS", "hold:*").isEmpty, "nothing was held")
  }

  @Test(
    "changed while it sells: refused by name, and it sells again by itself when it is put right")
  func changed() async throws {
    let market = try await Market.open()
    defer { market.close() }
    for (setting, bad, good) in Self.breaking {
      try await market.ready()
      try market.redis.cli("CONFIG", "SET", setting, bad)
      try await expectClosed(market, naming: setting)
      try market.redis.cli("CONFIG", "SET", setting, good)
    }
    try await market.ready()
    try await market.supply(1)
    #expect(try await market.reserve("open").outcome == .held)
    #expect(market.server.log.contains("ALARM: nothing is sold"))
  }

  @Test("wrong from the start: refused at once, and on every connection", arguments: breaking)
  func atStart(setting: String, bad: String, good: String) async throws {
    let redis = try RedisServer.start(extra: ["--\(setting)", bad])
    let market = try await Market.open(redis)
    defer { market.close() }
    try await expectClosed(market, naming: setting)
    try redis.cli("CLIENT", "KILL", "TYPE", "normal")
    try await expectClosed(market, naming: setting)
    try redis.cli("CONFIG", "SET", setting, good)
    try await market.ready()
  }

  @Test("a Redis that takes no writes: not ready, with the reason, and calls hear at once")
  func tooFewReplicas() async throws {
    let market = try await Market.open()
    defer { market.close() }
    try await market.ready()
    try await market.supply(1)
    try market.redis.cli("CONFIG", "SET", "min-replicas-to-write", "1")
    let reason = "min-replicas-to-write"
    try await eventually("not ready, and why") {
      try await market.health().warnings.contains { $0.contains(reason) }
    }
    for look in 0..<20 {
      let health = try await market.health()
      #expect(health.status == .notServing, "look \(look)")
      #expect(health.warnings.contains { $0.contains(reason) }, "look \(look): \(health.warnings)")
    }
    // Told at once: who does not repeat would else wait for the five seconds.
    var options = StockClient.Options()
    options.retry = .never
    let client = StockClient(to: market.address, options: options)
    let began = ContinuousClock.now
    for _ in 0..<5 {
      let status = await #expect(throws: Status.self) {
        try await client.call(GetStockRequest(sku: "x"), timeoutMs: 5_000)
      }
      #expect(status?.reason == "STORE_REFUSED" && status?.outcomeUnknown == false)
    }
    #expect(ContinuousClock.now - began < .seconds(5))
    await client.close()
    try market.redis.cli("CONFIG", "SET", "min-replicas-to-write", "0")
    try await market.ready()
    #expect(try await market.reserve("open").outcome == .held)
  }

  @Test("a file that is being made for the first time promises nothing until it is there")
  func fileInTheMaking() async throws {
    let redis = try RedisServer.start(
      appendOnly: false, extra: ["--enable-debug-command", "yes"])
    let market = try await Market.open(redis)
    defer { market.close() }
    try await expectClosed(market, naming: "appendonly")
    // The child that writes the first file has much to do, and rests after each key.
    try redis.cli("DEBUG", "POPULATE", "2000", "filler", "100")
    try redis.cli("CONFIG", "SET", "rdb-key-save-delay", "2000")
    try redis.cli("CONFIG", "SET", "appendonly", "yes")
    try await expectClosed(market, naming: "append-only file, which has just been switched on")
    #expect(try redis.cli("INFO", "persistence").contains("aof_rewrite_in_progress:1"))
    try await market.ready()
    #expect(try redis.cli("INFO", "persistence").contains("aof_rewrite_in_progress:0"))
  }

  @Test("a file that is never made shorter: degraded, with the reason, and it sells")
  func neverRewritten() async throws {
    let redis = try RedisServer.start(extra: ["--auto-aof-rewrite-percentage", "0"])
    let market = try await Market.open(redis)
    defer { market.close() }
    try await eventually("degraded") {
      let health = try await market.health()
      return health.status == .degraded
        && health.warnings.contains { $0.contains("auto-aof-rewrite-percentage") }
    }
    try await market.supply(1)
    #expect(try await market.reserve("k").outcome == .held)
    try redis.cli("CONFIG", "SET", "auto-aof-rewrite-percentage", "100")
    try await eventually("well again") { try await market.health().status == .serving }
  }

  @Test("a Redis that does not let its settings be read is believed nothing")
  func unreadable() async throws {
    let redis = try RedisServer.start(extra: ["--rename-command", "CONFIG", ""])
    let market = try await Market.open(redis)
    defer { market.close() }
    try await expectClosed(market, naming: "CONFIG GET")
    #expect(
      try await market.refusal(of: ReserveRequest.of("k", at: .ledger)).field == "acknowledge")
  }

  @Test("a server that promises MEMORY sells on a weaker Redis, degraded; FSYNC is refused there")
  func memory() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let market = try await Market.open(redis, arguments: ["--acknowledge", "memory"])
    defer { market.close() }
    try await market.ready()
    #expect(try await market.health().status == .degraded)
    try await market.supply(3)
    let plain = try await market.reserve("a")
    #expect(plain.outcome == .held && plain.acknowledged == nil)
    #expect(try await market.reserve("b", at: .memory).acknowledged == .memory)
    for level in [Acknowledgement.fsync, .replica, .ledger] {
      let status = try await market.refusal(of: ReserveRequest.of("c", at: level))
      #expect(status.reason == "ACKNOWLEDGE_UNAVAILABLE" && status.message.contains(level.name))
    }
    // Not even that, where holds may be thrown away.
    try redis.cli("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
    try await eventually("closed") { try await market.health().status == .notServing }
    let status = try await market.refusal(of: ReserveRequest.of("c", at: .memory))
    #expect(status.reason == "ACKNOWLEDGE_UNAVAILABLE" && status.message.contains("volatile-ttl"))
    #expect(try redis.cli("GET", "stock:x") == "1")
  }
}
