import Harness
import Inventory
import Testing

@testable import HotPath

/// What happens when Redis, or the way to it, fails.
@Suite("Faults of the store")
struct FaultTests {
  /// A lane whose SKU x has stock, on a Redis of its own.
  private func selling(
    _ redis: RedisServer, port: UInt16? = nil, units: UInt64 = 1_000
  ) async throws -> StoreLane {
    let lane = try StoreLane(redis, port: port)
    try await lane.open()
    _ = try await lane.script([(Sample.set(units), nil)])
    return lane
  }

  @Test(
    "a fixed key of the wrong type: not opened, and the reason names it; opened once it is right")
  func wrongTypeAtStart() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    _ = try redis.cli("SET", "inventory.events", "not a stream")
    let lane = try StoreLane(redis)
    await lane.start()
    try await eventually("the reason names the key") {
      await lane.downReason?.contains("inventory.events") ?? false
    }
    _ = try redis.cli("DEL", "inventory.events")
    try await eventually("the store opens by itself") { await lane.isOpen }
    await lane.close()
    redis.stop()
  }

  @Test(
    "a fixed key that changes its type during a sale: nothing is half-applied",
    arguments: ["inventory.events", "holds.expiry", "fence"])
  func wrongTypeDuringSale(key: String) async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await selling(redis)
    _ = try await lane.script([(Sample.reserve("before"), nil)])
    _ = try redis.cli("RENAME", key, "aside")
    _ = try redis.cli("SET", key, "text")
    let answer = await lane.submit([Sample.reserve("during")])
    #expect(answer == [.failure(.refused(sent: false))])
    #expect(try redis.cli("GET", "stock:x") == "999")
    #expect(try redis.cli("HGET", "sku:x", "held") == "1")
    #expect(try redis.cli("EXISTS", "hold:\(Sample.reservation("during").hold)") == "0")
    _ = try redis.cli("RENAME", "aside", key)
    let after = await lane.submit([Sample.reserve("during")])
    #expect(try after[0].get().outcome == .held)
    await lane.close()
    redis.stop()
  }

  @Test("a SKU's own key of the wrong type closes that SKU alone")
  func wrongTypeOfOneSKU() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await selling(redis)
    let y = Sample.sku("y")
    _ = try redis.cli("RPUSH", "stock:y", "a")
    _ = try redis.cli("SET", "sku:z", "text")
    _ = try redis.cli("SET", "stock:z", "5")
    let answers = try await lane.script([
      (Sample.reserve("a"), nil), (Sample.reserve("b", sku: y), nil),
      (Sample.reserve("c", sku: Sample.sku("z")), nil), (Sample.reserve("d"), nil),
    ])
    #expect(answers.map(\.outcome) == [.held, .stockMismatch, .stockMismatch, .held])
    await lane.close()
    redis.stop()
  }

  @Test(
    "a record that this service did not write closes that hold alone, and the sweep goes on",
    arguments: ["", "junk", String(repeating: "\u{1}", count: 60), "!"])
  func unreadableRecord(junk: String) async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await selling(redis)
    let held = try await lane.script([
      (Sample.reserve("a", ttlMs: 100), nil), (Sample.reserve("b", ttlMs: 100), nil),
    ])
    let ids = held.compactMap { $0.hold?.id }
    if junk == "!" {
      // Everything is right but one byte of the SKU, which ends the record.
      let length = try #require(Int(try redis.cli("STRLEN", "hold:\(ids[0].key)")))
      _ = try redis.cli("SETRANGE", "hold:\(ids[0].key)", "\(length - 1)", "!")
    } else {
      try await lane.redis("SET", "hold:\(ids[0].key)", junk)
    }
    let answers = try await lane.script([
      (Sample.reserve("a"), nil), (.cancel(ids[0]), nil),
      (.getHold(ids[0].key, generation: nil), nil),
      (.confirm(ids[0], paymentRef: Sample.label("p")), nil), (Sample.reserve("c"), nil),
    ])
    #expect(answers.map(\.outcome).dropLast().allSatisfy { $0 == .holdUnreadable })
    #expect(answers.last?.outcome == .held, "the neighbour")
    await lane.startSweep()
    try await eventually("the other hold has expired") {
      try redis.cli("GET", "stock:x") == "998"
    }
    let later = try redis.cli("ZRANGE", "holds.expiry", "0", "-1")
    #expect(later.contains("\(ids[0].key)"), "looked at again later")
    await lane.close()
    redis.stop()
  }

  @Test("at the memory limit new holds are refused; confirm, cancel and expiry go on")
  func memoryLimit() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await selling(redis)
    let held = try await lane.script([
      (Sample.reserve("a"), nil), (Sample.reserve("b"), nil),
      (Sample.reserve("c", ttlMs: 100), nil),
    ])
    let ids = held.compactMap { $0.hold?.id }
    // Below what it already uses: Redis itself would refuse every write.
    _ = try redis.cli("CONFIG", "SET", "maxmemory", "500000")
    try await eventually("the limit is seen") { await !lane.placing }
    #expect(throws: HarnessError.self) { try redis.cli("SET", "anything", "x").expectOK() }
    let answers = try await lane.script([
      (Sample.reserve("d"), nil), (Sample.reserve("a"), nil),
      (.confirm(ids[0], paymentRef: Sample.label("p")), Sample.x), (.cancel(ids[1]), Sample.x),
    ])
    #expect(answers.map(\.outcome) == [.storeFull, .repeated, .confirmed, .cancelled])
    try await eventually("the third is swept") {
      guard let member = await lane.due().first else { return false }
      return try await lane.script([(.expire(ids[2]), Sample.x)], swept: member)[0].outcome
        == .expired
    }
    let figures = try await lane.script([(.getStock(Sample.x), nil)])[0].figures
    #expect(figures == Figures(available: 999, held: 0, sold: 1, supplied: 1_000, version: 1))
    _ = try redis.cli("CONFIG", "SET", "maxmemory", "0")
    try await eventually("there is room again") { await lane.placing }
    #expect(try await lane.submit([Sample.reserve("d")])[0].get().outcome == .held)
    await lane.close()
    redis.stop()
  }

  @Test("the reply is lost after the script ran: the same calls again find what they did")
  func replyLost() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let proxy = try CuttingProxy(to: redis.port)
    let lane = try await selling(redis, port: proxy.port, units: 10)
    proxy.loseReplies(to: "EVALSHA")
    async let answers = lane.submit((0..<4).map { Sample.reserve("key-\($0)") })
    try await eventually("the script ran and its reply was cut off") {
      try proxy.cuts > 0 && redis.cli("GET", "stock:x") == "6"
    }
    proxy.heal()
    let outcomes = try await answers.map { try $0.get().outcome }
    #expect(outcomes == [.repeated, .repeated, .repeated, .repeated])
    #expect(try redis.cli("GET", "stock:x") == "6")
    #expect(try await lane.events().count == 5, "one set and four holds, none twice")
    await lane.close()
    proxy.stop()
    redis.stop()
  }

  @Test("refused after a lost reply: the earlier attempt may have happened, and the answer says so")
  func refusedAfterLostReply() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let proxy = try CuttingProxy(to: redis.port)
    let lane = try await selling(redis, port: proxy.port, units: 10)
    proxy.loseReplies(to: "EVALSHA")
    async let answer = lane.submit([Sample.reserve("a")])
    try await eventually("the script ran and its reply was cut off") {
      try proxy.cuts > 0 && redis.cli("GET", "stock:x") == "9"
    }
    _ = try redis.cli("CONFIG", "SET", "min-replicas-to-write", "1")
    proxy.heal()
    #expect(await answer == [.failure(.refused(sent: true))])
    let fresh = await lane.submit([Sample.reserve("b")])
    #expect(fresh == [.failure(.refused(sent: false))])
    _ = try redis.cli("CONFIG", "SET", "min-replicas-to-write", "0")
    try await eventually("it sells again") { await lane.isOpen }
    #expect(try await lane.submit([Sample.reserve("a")])[0].get().outcome == .repeated)
    await lane.close()
    proxy.stop()
    redis.stop()
  }

  @Test("time never goes back: a clock that was an hour ahead still counts after it is set right")
  func timeNeverGoesBack() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await selling(redis)
    let before = try await lane.submit([Sample.reserve("a")])[0].get().now
    _ = try redis.cli("HSET", "fence", "now", "\(before + 3_600_000)")
    for key in ["b", "c"] {
      let answer = try await lane.submit([Sample.reserve(key)])[0].get()
      #expect(answer.outcome == .held && answer.now == before + 3_600_000)
    }
    await lane.close()
    redis.stop()
  }

  @Test("times that no clock shows do no harm", arguments: ["abc", "9223372036854774000", "-5"])
  func strangeTime(text: String) async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await selling(redis)
    _ = try redis.cli("HSET", "fence", "now", text)
    let answer = try await lane.submit([Sample.reserve("a")])[0].get()
    #expect(answer.outcome == .held && answer.now < 4_000_000_000_000)
    await lane.close()
    redis.stop()
  }

  @Test("a deadline says whether the call may have happened; what was given up never does")
  func deadlines() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await selling(redis, units: 10)
    redis.pause()
    let paused = await lane.submit([Sample.reserve("a")], timeoutMs: 200)
    #expect(paused == [.failure(.deadline(sent: true))])
    // Queued behind the batch that is out, and so never sent.
    let queued = await lane.submit([Sample.reserve("b")], timeoutMs: 100)
    #expect(queued == [.failure(.deadline(sent: false))])
    redis.resume()
    let settled = await lane.submit([Sample.reserve("a"), Sample.reserve("b")])
    #expect(try settled.map { try $0.get().outcome } == [.held, .held])
    #expect(try redis.cli("GET", "stock:x") == "8")
    await lane.close()
    redis.stop()
  }

  @Test("scripts flushed: loaded again, and nobody notices")
  func scriptsFlushed() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await selling(redis)
    _ = try redis.cli("SCRIPT", "FLUSH")
    let answers = await lane.submit([Sample.reserve("a"), Sample.reserve("b")])
    #expect(try answers.map { try $0.get().outcome } == [.held, .held])
    await lane.close()
    redis.stop()
  }

  @Test("confirm and cancel through the batch learn their SKU from the script")
  func skuNeeded() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await selling(redis)
    let held = await lane.submit([Sample.reserve("a"), Sample.reserve("b")])
    let ids = try held.compactMap { try $0.get().hold?.id }
    let ended = await lane.submit([
      .confirm(ids[0], paymentRef: Sample.label("p")), .cancel(ids[1]), .cancel(ids[0]),
    ])
    #expect(
      try ended.map { try $0.get().outcome } == [.confirmed, .cancelled, .alreadyConfirmed])
    await lane.close()
    redis.stop()
  }

  @Test("weaker settings are warned of; AOF with fsync always is not")
  func warnings() async throws {
    for (appendOnly, fsync, word) in [
      (false, "always", "appendonly no"), (true, "everysec", "appendfsync everysec"),
      (true, "always", nil),
    ] as [(Bool, String, String?)] {
      let redis = try RedisServer.start(appendOnly: appendOnly, fsync: fsync)
      let lane = try StoreLane(redis)
      try await lane.open()
      let warnings = await lane.warnings
      if let word {
        #expect(warnings.contains { $0.contains(word) })
      } else {
        #expect(warnings.isEmpty)
      }
      await lane.close()
      redis.stop()
    }
  }

  @Test("while Redis is away, callers that have been answered make room for others")
  func expiredMakeRoom() async throws {
    let redis = try RedisServer.start()
    let lane = try await selling(redis, units: 10)
    redis.kill()
    try await eventually("the link is down") { await !lane.isOpen }
    for round in 0..<3 {
      let results = await lane.submit(
        (0..<(Batch.waitingMax / 2)).map { Sample.reserve("k-\(round)-\($0)") }, timeoutMs: 30)
      #expect(results.allSatisfy { $0 == .failure(.deadline(sent: false)) })
    }
    #expect(await lane.outstanding == 0)
    try redis.restart()
    try await eventually("the link is back") { await lane.isOpen }
    #expect(try await lane.submit([Sample.set(1, request: "again")])[0].get().outcome == .stockSet)
    await lane.close()
    redis.stop()
  }

  @Test("more waiting than the limit: refused at once, the rest answered")
  func overload() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await selling(redis, units: 1_000_000)
    redis.pause()
    async let results = lane.submit(
      (0..<(Batch.waitingMax + 10)).map { Sample.reserve("key-\($0)") }, timeoutMs: 60_000)
    try await eventually("the queue is full") { await lane.outstanding >= Batch.waitingMax }
    redis.resume()
    let refused = await results.filter { $0 == .failure(.overloaded(retryAfterMs: 100)) }.count
    let held = await results.filter { (try? $0.get().outcome) == .held }.count
    #expect(refused == 10 && held == Batch.waitingMax)
    await lane.close()
    redis.stop()
  }
}

extension String {
  fileprivate func expectOK() throws {
    if self != "OK" { throw HarnessError(self) }
  }
}
