import Harness
import Inventory
import Loop
import Testing

@testable import HotPath

/// Turns, withdrawals and refusals with a real Redis.
@Suite("The batch")
struct BatchTests {
  private func selling(
    _ redis: RedisServer, units: UInt64, port: UInt16? = nil
  ) async throws -> StoreLane {
    let lane = try StoreLane(redis, port: port)
    try await lane.open()
    _ = try await lane.script([(Sample.set(units), nil)])
    return lane
  }

  @Test("a lone call beside 10,000 of another connection goes with the next batch")
  func lone() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await selling(redis, units: 20_000)
    let before = await lane.doneBefore(lone: Sample.reserve("lone", user: "v"), crowd: 10_000)
    // Two batches were out when it came; it went with the next.
    #expect(before < 3 * Batch.operationsMax, "\(before) calls of the crowd were answered first")
    #expect(try redis.cli("GET", "stock:x") == "9999")
    await lane.close()
    redis.stop()
  }

  @Test("a page of names counts as several operations: many of them are several scripts")
  func pagesOfNames() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await selling(redis, units: 1)
    func scripts(_ operation: Operation) async throws -> UInt64 {
      let before = await lane.scripts
      let answers = await lane.submit(Array(repeating: operation, count: 200))
      #expect(try answers.allSatisfy { try $0.get().outcome == .found })
      return await lane.scripts - before
    }
    #expect(try await scripts(.getStock(Sample.x)) == 1)
    #expect(try await scripts(.listStock(after: nil, limit: 1)) == 1)
    // Each counts as 11 operations, and 256 go in a script.
    #expect(try await scripts(.listStock(after: nil, limit: Limits.stockPageMax)) >= 8)
    await lane.close()
    redis.stop()
  }

  @Test("a whole batch that waits is sent while another is at Redis; less than one waits")
  func wholeBatches() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await selling(redis, units: 10_000)
    let full = Batch.operationsMax
    redis.pause()
    async let first = lane.submit((0..<full).map { Sample.reserve("first-\($0)") })
    try await eventually("a whole batch is out") { await lane.atRedis == full }
    async let part = lane.submit([Sample.reserve("part")])
    try await eventually("one call waits") { await lane.waiting == 1 }
    #expect(await lane.atRedis == full)
    async let rest = lane.submit((0..<2 * full).map { Sample.reserve("rest-\($0)") })
    try await eventually("two batches are out, and no third") {
      let (atRedis, waiting) = (await lane.atRedis, await lane.waiting)
      return atRedis == 2 * full && waiting == full + 1
    }
    redis.resume()
    let outcomes = try await (first + part + rest).map { try $0.get().outcome }
    #expect(outcomes.count == 3 * full + 1 && outcomes.allSatisfy { $0 == .held })
    #expect(try redis.cli("GET", "stock:x") == "\(10_000 - 3 * full - 1)")
    await lane.close()
    redis.stop()
  }

  @Test("the link dies with two batches out: each call is done once, whichever of them ran")
  func twoLost() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let proxy = try CuttingProxy(to: redis.port)
    let lane = try await selling(redis, units: 10_000, port: proxy.port)
    let count = 3 * Batch.operationsMax
    proxy.loseReplies(to: "EVALSHA")
    async let answers = lane.submit((0..<count).map { Sample.reserve("key-\($0)") })
    try await eventually("a reply was cut off") { proxy.cuts > 0 }
    proxy.heal()
    let outcomes = try await answers.map { try $0.get().outcome }
    #expect(outcomes.allSatisfy { $0 == .held || $0 == .repeated })
    #expect(outcomes.contains(.repeated), "at least one batch had been done")
    #expect(try redis.cli("GET", "stock:x") == "\(10_000 - count)")
    #expect(try await lane.events().count == count + 1)
    await lane.close()
    proxy.stop()
    redis.stop()
  }

  @Test("taken back before it was sent: nothing was done; after: answered as if nobody had asked")
  func withdraw() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await selling(redis, units: 10)
    redis.pause()
    async let sent = lane.submit([Sample.reserve("sent")])
    try await eventually("it is out") { await lane.atRedis == 1 }
    async let queued = lane.submit([Sample.reserve("queued"), Sample.reserve("stays")])
    try await eventually("two wait behind it") { await lane.waiting == 2 }
    #expect(await lane.withdraw(place: 0) == false, "it has been sent")
    #expect(await lane.withdraw(place: 1))
    #expect(await lane.withdraw(place: 1) == false, "twice is harmless")
    #expect(await lane.waiting == 1)
    redis.resume()
    #expect(try await sent[0].get().outcome == .held)
    #expect(await queued[0] == .failure(.cancelled))
    #expect(try await queued[1].get().outcome == .held)
    #expect(await lane.withdraw(place: 2) == false, "it has been answered")
    #expect(try redis.cli("GET", "stock:x") == "8")
    await lane.close()
    redis.stop()
  }

  @Test("what may have happened cannot be taken back")
  func withdrawUncertain() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await selling(redis, units: 10)
    redis.pause()
    async let answer = lane.submit([Sample.reserve("a")])
    try await eventually("it is out") { await lane.atRedis == 1 }
    redis.kill()
    try await eventually("it waits again") { await lane.waiting == 1 }
    #expect(await lane.withdraw(place: 0) == false)
    try redis.restart()
    _ = await answer
    await lane.close()
    redis.stop()
  }
}

extension StoreLane {
  /// Hands in a crowd from one source, then one operation from another.
  /// - Returns: how many of the crowd were answered before it.
  func doneBefore(lone: Operation, crowd: Int) async -> Int {
    await withCheckedContinuation { continuation in
      var (done, before) = (0, 0)
      func answered() {
        done += 1
        if done == crowd + 1 { continuation.resume(returning: before) }
      }
      let deadline = monotonicNow() + 20_000_000_000
      for place in 0..<crowd {
        batch.submit(Sample.reserve("k-\(place)"), deadline: deadline, source: 1) { _ in answered()
        }
      }
      batch.submit(lone, deadline: deadline, source: 2) { _ in
        before = done
        answered()
      }
    }
  }
}
