import Harness
import Inventory
import Testing

@testable import HotPath

/// Memory is for what is held: what follows when it gets short, and when it will be.
@Suite("Memory that gets short")
struct MemoryTests {
  private let set = Retention(confirmedMs: 86_400_000, releasedMs: 3_600_000, settleMs: 60_000)

  @Test("what gave its units back is forgotten first, then what was confirmed, down to the floor")
  func order() {
    func at(_ use: Double) -> [UInt64] {
      let now = set.shortened(at: use, floorMs: 300_000)
      return [now.confirmedMs, now.releasedMs]
    }
    #expect(at(0) == [86_400_000, 3_600_000])
    #expect(at(0.70) == [86_400_000, 3_600_000])
    let half = at(0.75)
    #expect(half[0] == 86_400_000 && abs(Double(half[1]) - 1_950_000) < 2)
    #expect(at(0.80) == [86_400_000, 300_000])
    #expect((43_000_000...43_700_000).contains(at(0.875)[0]) && at(0.875)[1] == 300_000)
    #expect(at(0.95) == [300_000, 300_000])
    #expect(at(2) == [300_000, 300_000])
    let small = Retention(confirmedMs: 60_000, releasedMs: 60_000, settleMs: 60_000)
    #expect(small.shortened(at: 2, floorMs: 300_000) == small, "the floor lengthens nothing")
  }

  private let second: UInt64 = 1_000_000_000
  private let mebibyte: Int64 = 1_048_576

  /// Samples every ten seconds.
  private func forecast(_ bytes: [Int64]) -> MemoryForecast {
    var forecast = MemoryForecast()
    for (place, bytes) in bytes.enumerated() {
      #expect(forecast.wantsSample(at: UInt64(place) * 10 * second))
      forecast.note(bytes: bytes, at: UInt64(place) * 10 * second)
      #expect(!forecast.wantsSample(at: (UInt64(place) * 10 + 9) * second))
    }
    return forecast
  }

  @Test("a steady rise is foreseen up to an hour, for ten times as long as it was watched")
  func foreseen() throws {
    // 6 MiB a minute.
    let long = forecast((0..<37).map { Int64($0) * mebibyte })
    #expect(try #require(long.minutes(until: 276 * mebibyte)).rounded() == 40)
    #expect(long.minutes(until: 600 * mebibyte) == nil, "more than an hour away")
    let short = forecast((0..<4).map { Int64($0) * mebibyte })
    #expect(short.minutes(until: 243 * mebibyte) == nil, "watched for half a minute only")
    #expect(try #require(short.minutes(until: 27 * mebibyte)).rounded() == 4)
    #expect(forecast([0, 6, 12].map { $0 * mebibyte }).minutes(until: 18 * mebibyte) == nil)
  }

  @Test("what has stopped rising, or falls, is no alarm")
  func stopped() {
    let level = (0..<30).map { Int64(min($0, 15)) * mebibyte }
    #expect(forecast(level).minutes(until: 20 * mebibyte) == nil)
    let falling = (0..<30).map { Int64(30 - $0) * mebibyte }
    #expect(forecast(falling).minutes(until: 40 * mebibyte) == nil)
  }

  @Test("the judge says what is short, when it will be full, and that it is")
  func judge() throws {
    var settings = Store.Settings(address: RedisAddress("redis://127.0.0.1:1")!)
    settings.retention = set
    var judge = MemoryJudge(settings)
    func memory(_ mebibytes: Int64) -> RedisMemory {
      RedisMemory(
        RedisInfo("used_memory:\(mebibytes * mebibyte)\nmaxmemory:\(1_024 * mebibyte)\n"))!
    }
    judge.judge(memory(100))
    #expect(judge.warnings.isEmpty && judge.retention == set && judge.placing == .yes)
    judge.judge(memory(750))
    #expect(judge.isShort && judge.warnings.count == 1)
    #expect(judge.warnings[0].contains("others 29 min of 1 h"), "\(judge.warnings)")
    judge.judge(memory(690))
    #expect(judge.isShort, "it does not flicker at the border")
    judge.judge(memory(600))
    #expect(!judge.isShort && judge.warnings.isEmpty)
    for place in 0..<37 {
      judge.judge(memory(600 + Int64(place)))
      judge.note(forgettable: 0, at: UInt64(place) * 10 * second)
    }
    #expect(judge.warnings.contains { $0.contains("full in about 60 minutes at this rate") })
    // The same rise of what can be forgotten is none.
    judge.forgetTrend()
    for place in 0..<37 {
      let forgettable = Int64(place) * mebibyte / MemoryJudge.endedHoldBytes
      judge.judge(memory(600 + Int64(place)))
      judge.note(forgettable: forgettable, at: UInt64(place) * 10 * second)
    }
    #expect(judge.minutesLeft == nil)
    judge.judge(memory(1_000))
    #expect(judge.placing == .storeIsFull)
    #expect(judge.warnings[0].contains("no new holds"))
  }

  @Test("a shop whose memory is full of what has ended goes on selling, and forgets the oldest")
  func neverClosed() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    _ = try redis.cli("CONFIG", "SET", "maxmemory", "8mb")
    let quick = Retention(confirmedMs: 86_400_000, releasedMs: 3_600_000, settleMs: 2_000)
    let lane = try StoreLane(redis, retention: quick, floorMs: 200)
    try await lane.open()
    _ = try redis.cli("XGROUP", "CREATE", "inventory.events", KeySpace.group, "$", "MKSTREAM")
    _ = try await lane.script([(Sample.set(1_000_000), nil)])
    await lane.startSweep()
    // More than fit: half of them are confirmed, the others run past their deadline.
    var (held, sold, back) = (0, HoldID?.none, [HoldID]())
    /// How many of them Redis still knows.
    func known(_ holds: [HoldID]) throws -> Int {
      Int(try redis.cli(["EXISTS"] + holds.map { "hold:\($0.key)" })) ?? 0
    }
    for round in 0..<800 {
      if try round > 20 && known(back) < back.count / 2 { break }
      let names = (0..<250).map { "k\(round)-\($0)" }
      let answers = try await lane.script(names.map { (Sample.reserve($0, ttlMs: 200), nil) })
      #expect(answers.allSatisfy { $0.outcome == .held }, "round \(round)")
      held += answers.count
      let ids = answers.compactMap { $0.hold?.id }
      sold = sold ?? ids.first
      if round < 20 { back.append(contentsOf: ids.suffix(1)) }
      _ = try await lane.script(
        ids.prefix(125).map { (.confirm($0, paymentRef: Sample.label("p")), Sample.x) })
      // As a worker that keeps up.
      try await lane.redis("XTRIM", "inventory.events", "MAXLEN", "0")
      try await lane.redis("XGROUP", "SETID", "inventory.events", KeySpace.group, "$")
    }
    #expect(
      try known(back) < back.count / 2, "the oldest of those that gave their units back have gone")
    #expect(try known([#require(sold)]) == 1, "what was sold is remembered longer")
    #expect(await lane.placing)
    let warnings = await lane.warnings
    #expect(warnings.contains { $0.contains("short of memory") }, "\(warnings)")
    print("\(held) lives in a Redis of 8 MB")
    await lane.close()
    redis.stop()
  }
}
