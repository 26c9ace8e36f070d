import Harness
import Inventory
import Testing

@testable import HotPath

/// What was given up does not happen, however late it arrives at Redis.
@Suite("A batch that arrives late")
struct LateTests {
  private struct Scene {
    let redis: RedisServer
    let proxy: LateProxy
    let lane: StoreLane

    /// A lane behind a proxy, whose SKU x has stock, and which has sold something.
    static func open(units: UInt64) async throws -> Scene {
      let redis = try RedisServer.start(appendOnly: false)
      let proxy = try LateProxy(to: redis.port)
      let lane = try StoreLane(redis, port: proxy.port)
      try await lane.open()
      _ = try await lane.script([(Sample.set(units), nil)])
      return Scene(redis: redis, proxy: proxy, lane: lane)
    }

    /// A reserve whose batch is kept on its way, and whose caller is told that it may have happened.
    func giveUp(_ key: String) async throws {
      proxy.keep("EVALSHA")
      let told = await lane.submit([Sample.reserve(key)], timeoutMs: 300)
      #expect(told == [.failure(.deadline(sent: true))])
      #expect(proxy.kept == 1)
    }

    func reopen() async throws {
      proxy.heal()
      try await eventually("the store is open again") { await lane.isOpen }
    }

    func sequence() throws -> Int? { Int(try redis.cli("HGET", "fence", "test.0")) }

    func close() async {
      await lane.close()
      proxy.stop()
      redis.stop()
    }
  }

  @Test("it does nothing, says so, and closes nothing: the writer's number does not go back")
  func afterOthers() async throws {
    let scene = try await Scene.open(units: 100)
    try await scene.giveUp("late")
    try await scene.reopen()
    for round in 0..<5 {
      let sold = await scene.lane.submit([Sample.reserve("k\(round)")])
      #expect(try sold[0].get().outcome == .held)
    }
    let before = try #require(try scene.sequence())
    let said = scene.proxy.deliver()
    #expect(said.count == 1 && said[0].hasPrefix("-STALE "), "\(said)")
    #expect(try scene.sequence() == before)
    #expect(try scene.redis.cli("HEXISTS", "fence", "lost") == "0")
    #expect(try await scene.lane.submit([Sample.reserve("after")])[0].get().outcome == .held)
    #expect(try scene.redis.cli("GET", "stock:x") == "94")
    await scene.close()
  }

  @Test("a caller that was told SOLD_OUT since has no hold, though there are units again")
  func afterSoldOut() async throws {
    let scene = try await Scene.open(units: 1)
    try await scene.giveUp("late")
    try await scene.reopen()
    let other = try await scene.lane.submit([Sample.reserve("other")])[0].get()
    #expect(other.outcome == .held)
    #expect(try await scene.lane.submit([Sample.reserve("late")])[0].get().outcome == .soldOut)
    _ = await scene.lane.submit([.cancel(try #require(other.hold?.id))])
    _ = scene.proxy.deliver()
    #expect(try scene.redis.cli("GET", "stock:x") == "1")
    #expect(try scene.redis.cli("HGET", "sku:x", "held") == "0")
    await scene.close()
  }

  @Test("the same when its sender is gone, and nobody has told Redis of another connection")
  func afterDeath() async throws {
    let scene = try await Scene.open(units: 1)
    try await scene.giveUp("late")
    await scene.lane.close()
    let said = scene.proxy.deliver()
    #expect(said.count == 1 && said[0].hasPrefix("*"), "it was played: \(said)")
    #expect(try scene.redis.cli("GET", "stock:x") == "1")
    #expect(try scene.redis.cli("EXISTS", "hold:\(Sample.reservation("late").hold)") == "0")
    scene.proxy.stop()
    scene.redis.stop()
  }

  @Test("in one batch, only those whose time is up are left undone")
  func deadlinesDiffer() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try StoreLane(redis)
    try await lane.open()
    _ = try await lane.script([(Sample.set(10), nil)])
    let before = await lane.told
    redis.pause()
    async let both = lane.submit(
      [Sample.reserve("short"), Sample.reserve("long")], timeoutsMs: [200, 10_000])
    try await eventually("one has been told that its time is up") { await lane.told == before + 1 }
    #expect(await lane.atRedis == 2)
    redis.resume()
    let told = await both
    #expect(told[0] == .failure(.deadline(sent: true)))
    #expect(try told[1].get().outcome == .held)
    #expect(try redis.cli("EXISTS", "hold:\(Sample.reservation("short").hold)") == "0")
    #expect(try redis.cli("GET", "stock:x") == "9")
    await lane.close()
    redis.stop()
  }

  @Test("Redis's clock, jumped ahead: whoever has time left is served all the same")
  func clockJumps() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try StoreLane(redis)
    try await lane.open()
    _ = try await lane.script([(Sample.set(10), nil)])
    let now = try await lane.submit([Sample.reserve("a")])[0].get().now
    // As the script counts time, that is a jump of an hour.
    _ = try redis.cli("HSET", "fence", "now", "\(now + 3_600_000)")
    let after = try await lane.submit([Sample.reserve("b")], timeoutMs: 2_000)[0].get()
    #expect(after.outcome == .held && after.now == now + 3_600_000)
    await lane.close()
    redis.stop()
  }
}

/// Deadlines on two clocks.
@Suite("Redis's clock, as a server knows it")
struct RedisClockTests {
  private static let second: UInt64 = 1_000_000_000

  @Test("the quickest reply counts; a slow one makes no deadline later, and none much earlier")
  func quickest() {
    var clock = RedisClock()
    #expect(clock.ms(at: 0) == nil)
    // Redis said 5,000,000 ms some time before the reply came.
    clock.heard(5_000_000, at: 10 * Self.second)
    #expect(clock.ms(at: 11 * Self.second) == 5_001_000)
    // A reply that took two seconds.
    clock.heard(5_001_000, at: 13 * Self.second)
    let later = clock.ms(at: 14 * Self.second)!
    #expect(later <= 5_004_000 && later >= 5_003_990)
  }

  @Test("a clock that jumps ahead is believed at once; another Redis has its own")
  func jumps() {
    var clock = RedisClock()
    clock.heard(5_000_000, at: 10 * Self.second)
    clock.heard(8_600_000, at: 11 * Self.second)
    #expect(clock.ms(at: 12 * Self.second) == 8_601_000)
    clock.forget()
    clock.heard(1_000, at: 13 * Self.second)
    #expect(clock.ms(at: 14 * Self.second) == 2_000)
  }
}
