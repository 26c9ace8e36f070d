import Harness
import Inventory
import Testing

@testable import HotPath

/// The sweep on a real Redis: many members, bad members, other sweepers.
@Suite("The sweep")
struct SweepTests {
  private func lane(_ redis: RedisServer, retentionMs: UInt64 = 86_400_000) async throws
    -> StoreLane
  {
    let lane = try StoreLane(
      redis,
      retention: Retention(
        confirmedMs: retentionMs, releasedMs: retentionMs, settleMs: retentionMs))
    try await lane.open()
    _ = try await lane.script([(Sample.set(10_000), nil)])
    return lane
  }

  @Test("a crowd of single calls leaves a member each: full scripts sweep them, not one for each")
  func manyMembers() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await lane(redis)
    for place in 0..<1_000 {
      _ = try await lane.script([(Sample.reserve("k\(place)", ttlMs: 100), nil)])
    }
    #expect(try redis.cli("ZCARD", "holds.expiry") == "1000")
    let before = try scripts(redis)
    await lane.startSweep()
    try await eventually("all stock is back") { try redis.cli("GET", "stock:x") == "10000" }
    // Twice where the SKU was not known yet, and a few that were cut short by the reading.
    #expect(try scripts(redis) - before <= 20)
    #expect(try await lane.events().filter { $0.type == .holdExpired }.count == 1_000)
    await lane.close()
    redis.stop()
  }

  @Test("of holds that share a member the extended ones go on, each until its own deadline")
  func extended() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await lane(redis)
    let held = try await lane.script(
      (0..<96).map { (Sample.reserve("k\($0)", ttlMs: 400), nil) })
    let ids = held.compactMap { $0.hold?.id }
    let first = try #require(held[0].hold?.expiresAt)
    let extended = try await lane.script(
      ids.prefix(48).map { (.extend($0, expiresAt: first + 3_000), nil) })
    #expect(extended.allSatisfy { $0.outcome == .extended && $0.hold?.expiresAt == first + 3_000 })
    #expect(try redis.cli("ZCARD", "holds.expiry") == "1", "the index is left as it is")
    await lane.startSweep()
    try await eventually("the others have expired") {
      try redis.cli("HGET", "sku:x", "held") == "48"
    }
    try await eventually("the extended ones stand at their own deadline") {
      let due = try redis.cli(
        "ZRANGEBYSCORE", "holds.expiry", "\(first + 3_000)", "\(first + 3_200)")
      return due.split(separator: " ").count == 49
    }
    let expired = try await lane.events().filter { $0.type == .holdExpired }
    #expect(expired.count == 48 && expired.allSatisfy { $0.time < first + 3_000 })
    try await eventually("all stock is back") { try redis.cli("GET", "stock:x") == "10000" }
    let last = try await lane.events().filter { $0.type == .holdExpired }.suffix(48)
    #expect(last.allSatisfy { $0.time >= first + 3_000 && $0.id.hasSuffix("/3") })
    await lane.close()
    redis.stop()
  }

  @Test("holds that ended at different times are forgotten together")
  func forgetting() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await lane(redis, retentionMs: 1_600)
    for place in 0..<40 {
      let held = try await lane.script([(Sample.reserve("k\(place)", ttlMs: 1), nil)])
      #expect(held[0].outcome == .held)
    }
    await lane.startSweep()
    try await eventually("all are forgotten") {
      try redis.cli("ZCARD", "holds.expiry") == "0" && redis.cli("KEYS", "hold:*") == ""
    }
    #expect(try redis.cli("GET", "stock:x") == "10000")
    await lane.close()
    redis.stop()
  }

  @Test(
    "a member that no script wrote is removed, whatever its bytes; the others go on",
    arguments: [
      [0xFF, 0xFE, 0x30], Array("nonsense".utf8), Array("123".utf8), [],
      Array("123 H-002VAXP7THV65CZVX281W0K2DZ46 ".utf8) + [0xFF],
    ] as [[UInt8]])
  func badMembers(bytes: [UInt8]) async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await lane(redis)
    _ = try await lane.script([(Sample.reserve(ttlMs: 50), nil)])
    await lane.addDue(score: 1, bytes)
    await lane.startSweep()
    try await eventually("the hold has expired") { try redis.cli("GET", "stock:x") == "10000" }
    try await eventually("the member has gone") {
      try redis.cli("ZRANGEBYSCORE", "holds.expiry", "-inf", "2") == ""
    }
    await lane.close()
    redis.stop()
  }

  @Test("holds of one batch share members of the index, each no longer than one script may sweep")
  func members() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await lane(redis)
    _ = try await lane.script((0..<Batch.operationsMax).map { (Sample.reserve("k\($0)"), nil) })
    let members = try redis.cli("ZRANGE", "holds.expiry", "0", "-1").split(separator: "\n")
    let sizes = members.map { IndexMember(of: .expiry, Array($0.utf8)).holds.count }
    #expect(sizes.sorted() == [64, 96, 96])
    await lane.close()
    redis.stop()
  }

  @Test("a member that is longer than a script may be is swept in parts, and nothing is lost")
  func longMember() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await lane(redis)
    var ids: [HoldID] = []
    for start in stride(from: 0, to: 600, by: 200) {
      let answers = try await lane.script(
        (start..<(start + 200)).map { (Sample.reserve("k\($0)", ttlMs: 1), nil) })
      ids += answers.compactMap { $0.hold?.id }
    }
    let generation = ids[0].generation
    let sameTime = ids.filter { $0.generation == generation }
    _ = try redis.cli("DEL", "holds.expiry")
    // All of one generation in one member, and again, and again: 600 names.
    let names = (sameTime + sameTime + sameTime).map { "\($0.key)" }.joined(separator: " ")
    await lane.addDue(score: 1, Array("\(generation) \(names)".utf8))
    await lane.startSweep()
    try await eventually("they have expired, each once") {
      try redis.cli("HGET", "sku:x", "held") == "\(600 - sameTime.count)"
    }
    #expect(try await lane.events().filter { $0.type == .holdExpired }.count == sameTime.count)
    await lane.close()
    redis.stop()
  }

  /// How many scripts this Redis has run.
  private func scripts(_ redis: RedisServer) throws -> Int {
    let line = try redis.cli("INFO", "commandstats").split(whereSeparator: \.isNewline)
      .first { $0.hasPrefix("cmdstat_evalsha:") }
    let calls = line?.split(separator: "calls=").last?.prefix { $0.isNumber }
    return Int(calls ?? "0") ?? 0
  }
}
