import Harness
import Inventory
import Testing
import Wire

@testable import HotPath

/// What Redis keeps of a hold that has ended: all of it, then what tells a repeat, then nothing.
@Suite("What has ended is remembered in short, and forgotten")
struct SettlingTests {
  private let retention = Retention(confirmedMs: 600_000, releasedMs: 600_000, settleMs: 800)

  private func lane(
    _ redis: RedisServer, _ retention: Retention, books: Bool = true
  ) async throws -> StoreLane {
    let lane = try StoreLane(redis, retention: retention)
    try await lane.open()
    if books {
      _ = try redis.cli("XGROUP", "CREATE", "inventory.events", KeySpace.group, "$", "MKSTREAM")
    }
    _ = try await lane.script([(Sample.set(1_000), nil)])
    return lane
  }

  /// As a worker that has applied everything.
  private func apply(_ lane: StoreLane) async throws {
    try await lane.redis("XGROUP", "SETID", "inventory.events", KeySpace.group, "$")
  }

  /// Three holds: one confirmed, one cancelled, one past its deadline.
  private func end(_ lane: StoreLane) async throws -> [HoldID] {
    let held = try await lane.script(
      ["sold", "back", "late"].map { (Sample.reserve($0, qty: 2, ttlMs: 40), nil) })
    let ids = held.compactMap { $0.hold?.id }
    let ended = try await lane.script([
      (.confirm(ids[0], paymentRef: Sample.label("pay-1")), Sample.x), (.cancel(ids[1]), Sample.x),
    ])
    #expect(ended.map(\.outcome) == [.confirmed, .cancelled])
    return ids
  }

  private func length(_ id: HoldID, _ redis: RedisServer) throws -> Int {
    Int(try redis.cli("STRLEN", "hold:\(id.key)")) ?? 0
  }

  @Test("in the books: id, state and times are left, and every repeat is answered as before")
  func inTheBooks() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await lane(redis, retention)
    let ids = try await end(lane)
    await lane.startSweep()
    try await eventually("all three are remembered in short") {
      try await apply(lane)
      var lengths: [Int] = []
      for id in ids { lengths.append(try length(id, redis)) }
      return lengths == [41, 25, 25]
    }
    #expect(try redis.cli("ZCARD", "holds.expiry") == "0")
    #expect(try redis.cli("HMGET", "holds.ended", "confirmed", "released") == "1\n2")
    let answers = try await lane.script([
      (Sample.reserve("sold", qty: 2, ttlMs: 40), nil), (Sample.reserve("sold", qty: 3), nil),
      (.confirm(ids[0], paymentRef: Sample.label("pay-1")), nil),
      (.confirm(ids[0], paymentRef: Sample.label("pay-2")), nil), (.cancel(ids[0]), nil),
      (.cancel(ids[1]), nil), (.confirm(ids[1], paymentRef: Sample.label("p")), nil),
      (.confirm(ids[2], paymentRef: Sample.label("p")), nil),
      (.extend(ids[2], expiresAt: ids[2].generation + 60_000), nil),
      (.getHold(ids[2].key, generation: nil), nil),
    ])
    #expect(
      answers.map(\.outcome) == [
        .repeated, .keyReused, .repeated, .paymentRefMismatch, .alreadyConfirmed, .repeated,
        .alreadyCancelled, .expired, .expired, .found,
      ])
    let sold = try #require(answers[0].ended)
    #expect(sold.id == ids[0] && sold.status == .confirmed && sold.version == 2)
    #expect(sold.expiresAt == ids[0].generation + 40 && sold.changedAt >= ids[0].generation)
    #expect(answers[9].ended?.status == .expired && answers[9].hold == nil)
    #expect(try await lane.redis("GET", "stock:x") == ["998"], "nothing was held anew")
    await lane.close()
    redis.stop()
  }

  enum Lack: String, CaseIterable, Sendable {
    case noGroup, notHandedOut, notAcknowledged, deadLetter, unreadLetter, replayed
  }

  @Test("what is not in the books is kept whole", arguments: Lack.allCases)
  func notInTheBooks(lack: Lack) async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let short = Retention(confirmedMs: 600_000, releasedMs: 600_000, settleMs: 1)
    let lane = try await lane(redis, short, books: lack != .noGroup)
    let held = try await lane.script([(Sample.reserve(ttlMs: 1), nil)])
    let id = try #require(held[0].hold?.id)
    let other = try await lane.script([(Sample.reserve("other"), nil)])
    #expect(other[0].outcome == .held)
    try await eventually("the member is due") { await !lane.due().isEmpty }
    let member = try #require(await lane.due().first)
    #expect(try await lane.script([(.expire(id), Sample.x)], swept: member)[0].outcome == .expired)
    let group = KeySpace.group
    switch lack {
    case .noGroup, .notHandedOut: break
    case .notAcknowledged:
      _ = try redis.cli("XREADGROUP", "GROUP", group, "c", "STREAMS", "inventory.events", ">")
    case .deadLetter:
      try await apply(lane)
      _ = try redis.cli("HSET", "inventory.dead.seen", "\(id)/2", "1-1")
    case .unreadLetter:
      try await apply(lane)
      _ = try redis.cli("HSET", "inventory.dead.seen", "1-1/0", "1-1")
    case .replayed:
      try await apply(lane)
      _ = try redis.cli("HSET", "inventory.dead.seen", "replayed", "9999999999999-0")
    }
    try await eventually("the member is due again") { await !lane.due().isEmpty }
    let again = try #require(await lane.due().first)
    let looked = try await lane.script([(.expire(id), Sample.x)], swept: again)
    #expect(looked[0].outcome == .notDue, "\(lack)")
    #expect(try length(id, redis) > 56)
    #expect(try await lane.script([(.getHold(id.key, generation: nil), nil)])[0].hold != nil)
    #expect(try redis.cli("ZCARD", "holds.expiry") == "2", "it will be looked at again")
    await lane.close()
    redis.stop()
  }

  @Test("the retention of each kind is decided when it is looked for; the counts follow")
  func forgotten() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let short = Retention(confirmedMs: 600_000, releasedMs: 2_000, settleMs: 800)
    let lane = try await lane(redis, short)
    let ids = try await end(lane)
    await lane.startSweep()
    try await eventually("what gave its units back is forgotten") {
      try await apply(lane)
      return try redis.cli("EXISTS", "hold:\(ids[1].key)", "hold:\(ids[2].key)") == "0"
    }
    try await eventually("what was sold is remembered in short") {
      try await apply(lane)
      return try length(ids[0], redis) == 41
    }
    try await eventually("the counts follow") {
      try redis.cli("HMGET", "holds.ended", "confirmed", "released") == "1\n0"
    }
    #expect(try redis.cli("ZCARD", "holds.released") == "0")
    let again = try await lane.script([(Sample.reserve("back", qty: 2, ttlMs: 40), nil)])
    #expect(again[0].outcome == .held, "the key of a forgotten hold makes a new one")
    await lane.close()
    // Another server, which remembers for less time, forgets what this one has left.
    let other = try StoreLane(
      redis, retention: Retention(confirmedMs: 1, releasedMs: 1, settleMs: 1))
    try await other.open()
    await other.startSweep()
    try await eventually("it is forgotten") {
      try redis.cli("EXISTS", "hold:\(ids[0].key)", "holds.confirmed") == "0"
    }
    let session = try RebuildSession(at: RedisAddress("redis://127.0.0.1:\(redis.port)")!)
    #expect(
      try session.forgottenBefore() > ids[0].generation, "a rebuild knows that it may be unknown")
    await other.close()
    redis.stop()
  }

  @Test("however short memory is, what is not in the books is remembered for as long as was set")
  func pressure() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let long = Retention(confirmedMs: 3_600_000, releasedMs: 3_600_000, settleMs: 1)
    let lane = try StoreLane(redis, retention: long, floorMs: 1)
    try await lane.open()
    let held = try await lane.script([(Sample.set(9), nil), (Sample.reserve(), nil)])
    let id = try #require(held[1].hold?.id)
    #expect(try await lane.script([(.cancel(id), Sample.x)])[0].outcome == .cancelled)
    _ = try redis.cli("CONFIG", "SET", "maxmemory", "1mb")
    try await eventually("memory is short") { await lane.retention.releasedMs == 1 }
    let name = try redis.cli("ZRANGE", "holds.expiry", "0", "0")
    /// Also while Redis is over its limit.
    func force(_ command: String...) throws {
      let script = "#!lua flags=allow-oom\nreturn redis.call(unpack(ARGV))"
      _ = try redis.cli(["EVAL", script, "0"] + command)
    }
    func sweep() async throws -> Outcome {
      try force("ZADD", "holds.expiry", "1", name)
      let member = try #require(await lane.due().first)
      return try await lane.script([(.expire(id), Sample.x)], swept: member)[0].outcome
    }
    #expect(try await sweep() == .notDue, "nobody has read the stream")
    try force("XGROUP", "CREATE", "inventory.events", KeySpace.group, "$")
    #expect(try await sweep() == .forgotten)
    await lane.close()
    redis.stop()
  }

  @Test("a hold with a deadline far away is looked at long before it, ended or not")
  func visited() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await lane(redis, retention)
    let held = try await lane.script([(Sample.reserve(ttlMs: Limits.holdMsMax), nil)])
    let id = try #require(held[0].hold?.id)
    let member = try redis.cli("ZRANGE", "holds.expiry", "0", "-1", "WITHSCORES")
    let score = try #require(member.split(separator: "\n").last.flatMap { UInt64($0) })
    #expect(score <= id.generation + Sweep.visitMs + 200)
    // As if the time had come.
    let name = String(member.split(separator: "\n")[0])
    _ = try redis.cli("ZADD", "holds.expiry", "1", name)
    await lane.startSweep()
    try await eventually("it is put at its next visit") {
      let scores = try redis.cli("ZRANGE", "holds.expiry", "0", "-1", "WITHSCORES")
      return (scores.split(separator: "\n").last.flatMap { UInt64($0) } ?? 0) >= score
    }
    #expect(try await lane.script([(.cancel(id), Sample.x)])[0].outcome == .cancelled)
    _ = try redis.cli("ZADD", "holds.expiry", "1", name)
    try await eventually("it is remembered in short") {
      try await apply(lane)
      // It was looked at, and is looked at again as soon as it may be.
      return try length(id, redis) == 25
    }
    await lane.close()
    redis.stop()
  }

  @Test("a record that was rebuilt is kept whole: its SKU and units tell a repeat")
  func rebuilt() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await lane(redis, retention)
    let session = try RebuildSession(at: RedisAddress("redis://127.0.0.1:\(redis.port)")!)
    let now = try #require(UInt64(try redis.cli("TIME").split(separator: "\n")[0])) * 1_000
    var hold = Hold(of: Sample.reservation(qty: 2), from: now - 5_000)
    (hold.status, hold.version, hold.changedAt) = (.expired, 2, now - 1_000)
    try session.write([hold], nowMs: now)
    #expect(try redis.cli("ZCARD", "holds.released") == "1")
    #expect(try redis.cli("HGET", "holds.ended", "released") == "1")
    let answers = try await lane.script([
      (Sample.reserve(qty: 2), nil), (Sample.reserve(qty: 1), nil),
    ])
    #expect(answers.map(\.outcome) == [.repeated, .keyReused])
    await lane.close()
    redis.stop()
  }

  @Test("a record in short takes less than half of the memory")
  func bytes() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try await lane(redis, retention)
    let key = "6f2c9d0e-7a41-4c1b-9a55-0d8f3b7e2c11"
    let reserve = Sample.reserve(key, user: "customer-1234567", ttlMs: 40, trace: Sample.trace(1))
    let held = try await lane.script([(reserve, nil)])
    let name = "hold:\(try #require(held[0].hold?.id).key)"
    let whole = try #require(Int(try redis.cli("MEMORY", "USAGE", name)))
    await lane.startSweep()
    try await eventually("it is remembered in short") {
      try await apply(lane)
      return try redis.cli("STRLEN", name) == "25"
    }
    let short = try #require(Int(try redis.cli("MEMORY", "USAGE", name)))
    #expect(short * 2 < whole, "\(short) of \(whole) bytes")
    await lane.close()
    redis.stop()
  }
}
