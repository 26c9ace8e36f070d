import Foundation
import Harness
import Inventory
import RPC
import Testing
import Wire

/// A Redis that is silent, full, or wrong about the time.  What it held stays, and what it cannot hold is
/// refused.
@Suite("Faults of Redis")
struct RedisFaultTests {
  @Test(
    "paused for ten seconds: calls end in time and say what they know; then all goes on, nothing lost"
  )
  func paused() async throws {
    let market = try await Market.open()
    defer { market.close() }
    try await market.supply(1_000_000)
    let hold = try await market.reserve("before")
    let buyers = Buyers(market, run: 0)
    await buyers.start()
    try await eventually("the crowd buys") { await buyers.told.count > 50 }
    market.redis.pause()
    let clock = ContinuousClock()
    let began = clock.now
    let during = try await market.refusal(of: ReserveRequest.of("during"), timeoutMs: 500)
    #expect(during.retryable && ["DEADLINE", "STORE_UNREACHABLE"].contains(during.reason))
    #expect(clock.now - began < .seconds(2))
    // The pause itself: the fault is that it lasts.
    try await Task.sleep(for: .seconds(10) - (clock.now - began))
    let before = await buyers.told.count
    market.redis.resume()
    try await eventually("selling resumes") { await buyers.told.count > before }
    await buyers.stop()
    let (told, contradictions) = (await buyers.told, await buyers.contradictions)
    #expect(contradictions.isEmpty, "\(contradictions)")
    #expect(try market.redis.lost(of: told) == 0)
    let confirmed = try await market.with {
      try await $0.call(ConfirmRequest(holdID: hold.holdID, paymentRef: "p"))
    }
    #expect(confirmed.outcome == .confirmed, "what was promised before can finish")
    // Whether it happened after all is not known: repeated, it is one hold either way.
    _ = try await market.reserve("during")
    try await expectSums(market, told, others: (held: 1, sold: 1))
  }

  /// The figures are those of what the buyers were told, and of some holds more.
  private func expectSums(
    _ market: Market, _ told: [String: HoldStatus], others: (held: Int, sold: Int)
  ) async throws {
    let figures = try await market.figures()
    #expect(figures.balance)
    #expect(figures.held == UInt64(told.count { $1 == .active } + others.held))
    #expect(figures.sold == UInt64(told.count { $1 == .confirmed } + others.sold))
  }

  @Test(
    "at its memory limit: new holds are refused clearly, what was promised finishes, nothing is lost"
  )
  func memoryLimit() async throws {
    let market = try await Market.open()
    defer { market.close() }
    try await market.supply(1_000_000)
    let holds = [try await market.reserve("a"), try await market.reserve("b")]
    let buyers = Buyers(market, run: 0)
    await buyers.start()
    try await eventually("the crowd buys") { await buyers.told.count > 50 }
    try market.redis.cli("CONFIG", "SET", "maxmemory", "500000")
    try await eventually("new holds are refused") {
      let status = try await market.refusal(of: ReserveRequest.of("full-\(UUID())"))
      return status.code == .resourceExhausted && status.reason == "STORE_FULL"
        && status.retryable && !status.outcomeUnknown
    }
    #expect(try await market.health().status == .degraded)
    for (method, status) in [
      (ReserveRequest.method, ServingStatus.notServing), (ConfirmRequest.method, .degraded),
    ] {
      let health = try await market.with { try await $0.call(HealthCheckRequest(service: method)) }
      #expect(health.status == status, "\(method)")
    }
    #expect(
      try Program.run("stockctl", ["health", "--address", "\(market.address)"]).status == 7)
    let confirm = ConfirmRequest(holdID: holds[0].holdID, paymentRef: "p")
    #expect(try await market.with { try await $0.call(confirm) }.outcome == .confirmed)
    let cancel = CancelRequest(holdID: holds[1].holdID)
    #expect(try await market.with { try await $0.call(cancel) }.outcome == .cancelled)
    let before = await buyers.told.count
    try market.redis.cli("CONFIG", "SET", "maxmemory", "0")
    try await eventually("selling resumes") { await buyers.told.count > before }
    await buyers.stop()
    let (told, contradictions) = (await buyers.told, await buyers.contradictions)
    #expect(contradictions.isEmpty, "\(contradictions)")
    #expect(try market.redis.lost(of: told) == 0)
  }

  @Test(
    "its disk full: it ends rather than answer; with room again, all that was acknowledged is there",
    .enabled(if: SmallVolume.isPossible, "mounting a tmpfs needs root"))
  func diskFull() async throws {
    let volume = try SmallVolume(bytes: 64 << 20)
    let redis = try RedisServer.start(extra: ["--dir", volume.path])
    let market = try await Market.open(redis)
    defer {
      market.close()
      volume.remove()
    }
    try await market.supply(1_000_000)
    let hold = try await market.reserve("before")
    try volume.fill(leaving: 256 * 1024)
    let buyers = Buyers(market, run: 0)
    await buyers.start()
    let end = redis.waitForEnd(timeout: .seconds(60))
    #expect(end == 1, "Redis cannot write, and so it does not answer")
    #expect(redis.log.contains("AOF write error when the AOF fsync policy is 'always'"))
    let told = await buyers.told
    let status = try await market.refusal(of: ReserveRequest.of("during"), timeoutMs: 300)
    #expect(status.code == .unavailable && status.reason == "STORE_UNREACHABLE")
    #expect(try await market.health().status == .notServing)
    volume.empty()
    try redis.restart()
    #expect(try redis.lost(of: told) == 0)
    try await market.ready()
    try await eventually("selling resumes") { await buyers.told.count > told.count }
    await buyers.stop()
    let contradictions = await buyers.contradictions
    #expect(contradictions.isEmpty, "\(contradictions)")
    let confirm = ConfirmRequest(holdID: hold.holdID, paymentRef: "p")
    #expect(try await market.with { try await $0.call(confirm) }.outcome == .confirmed)
    try await expectSums(market, await buyers.told, others: (held: 0, sold: 1))
  }
}
