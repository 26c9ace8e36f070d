import Foundation
import Harness
import Inventory
import Testing

/// What FSYNC promises, tested by losing what was not synced.
///
/// Each round: a crowd reserves, confirms and cancels; Redis is killed; its files are cut at what was
/// synced; it starts again.  STOCK_POWER_CUTS is the number of rounds, STOCK_SEED makes them the same
/// again.
@Suite("Power cuts")
struct PowerCutTests {
  /// What else happens to the files.
  enum Damage: CaseIterable {
    /// The rest of the last write is missing.
    case cut
    /// Some of what was not synced is there after all, up to the middle of a command.
    case torn
    /// The file was being rewritten.
    case rewriting
  }

  private static let environment = ProcessInfo.processInfo.environment
  private static let rounds = environment["STOCK_POWER_CUTS"].flatMap { Int($0) } ?? 6
  private static let seed =
    environment["STOCK_SEED"].flatMap { UInt64($0) } ?? .random(in: .min ... .max)

  /// Several rounds in figures.
  struct Tally {
    var rounds: [Damage: Int] = [:]
    /// Rounds in which something was written and not synced.
    var unsynced = 0
    /// Rounds in which a child was writing the new file.
    var rewriting = 0
    /// Holds, by what their buyers were told; nil: they had not asked.
    var levels: [Acknowledgement?: Int] = [:]

    var text: String {
      let rounds = rounds.map { "\($0) \($1)" }.sorted().joined(separator: ", ")
      let levels = levels.map { "\($0?.name ?? "not asked") \($1)" }.sorted()
      return "\(rounds); \(unsynced) with bytes that were not synced, \(rewriting) while the new "
        + "file was written; acknowledged: \(levels.joined(separator: ", "))"
    }
  }

  /// One round; the caller says when it has seen enough.
  private func powerCut(
    _ market: Market, _ files: SyncedFiles, _ damage: Damage, after: Duration, keeping: Double,
    buyers: Buyers, replica: RedisServer? = nil, _ tally: inout Tally
  ) async throws {
    await buyers.start()
    try await eventually("the crowd buys") { await buyers.told.count >= 20 }
    if damage == .rewriting { try market.redis.cli("BGREWRITEAOF") }
    // The load goes on meanwhile: this is how long.
    try await Task.sleep(for: after)
    let state = try market.redis.cli("INFO", "persistence")
    market.redis.kill()
    let folder = market.redis.folder + "/appendonlydir"
    let cut = try files.cut(folder)
    if damage == .torn { try tear(folder, cut, keeping) }
    if let replica {
      let copied = await buyers.reached.filter { $1 == .replica }.mapValues { _ in HoldStatus.active
      }
      #expect(try replica.lost(of: copied) == 0, "the replica has them")
    }
    tally.rounds[damage, default: 0] += 1
    tally.unsynced += cut.isEmpty ? 0 : 1
    tally.rewriting += state.contains("aof_rewrite_in_progress:1") ? 1 : 0
    try market.redis.restart()
  }

  /// The last file gets back some of what was cut off it, or else half a command.
  private func tear(_ folder: String, _ cut: [String: [UInt8]], _ keeping: Double) throws {
    let lost = Data(cut[try lastFile(folder)] ?? Array("*3\r\n$3\r\nSET\r\n$9\r\nstock:ne".utf8))
    try append(lost.prefix(max(1, Int(Double(lost.count) * keeping))), to: folder)
  }

  /// The file that Redis writes to.  appendonly.aof.10.incr.aof comes after appendonly.aof.9.incr.aof.
  private func lastFile(_ folder: String) throws -> String {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder)
    let incremental = names.filter { $0.hasSuffix(".incr.aof") }
    return folder + "/" + (try #require(incremental.max { ($0.count, $0) < ($1.count, $1) }))
  }

  private func append(_ bytes: Data, to folder: String) throws {
    let file = try #require(FileHandle(forWritingAtPath: try lastFile(folder)))
    try file.seekToEnd()
    try file.write(contentsOf: bytes)
    try file.close()
  }

  @Test(
    "whatever was acknowledged at FSYNC or above is there afterwards, and selling resumes by itself"
  )
  func nothingLost() async throws {
    print("power cuts: STOCK_POWER_CUTS=\(Self.rounds) STOCK_SEED=\(Self.seed)")
    var random = Seeded(Self.seed)
    let files = try SyncedFiles()
    let redis = try RedisServer.start(
      extra: ["--rdb-key-save-delay", "20", "--repl-diskless-sync-delay", "0"],
      environment: files.environment)
    let replica = try RedisServer.start(extra: ["--replicaof", "127.0.0.1", "\(redis.port)"])
    let market = try await Market.open(redis, arguments: ["--shards", "2"])
    let books = try Books()
    let worker = try await market.startWorker(books.database)
    defer {
      worker.stop()
      market.close()
      replica.stop()
    }
    try await market.supply(10_000_000)
    var told: [String: HoldStatus] = [:]
    var tally = Tally()
    for round in 0..<Self.rounds {
      let damage = Damage.allCases[round % Damage.allCases.count]
      let buyers = Buyers(
        market, run: round, levels: [nil, .memory, .fsync, nil, .replica, nil, .ledger])
      try await powerCut(
        market, files, damage, after: .milliseconds(.random(in: 1...150, using: &random)),
        keeping: .random(in: 0...1, using: &random), buyers: buyers, replica: replica, &tally)
      let before = await buyers.told
      #expect(try redis.lost(of: before) == 0, "round \(round), \(damage), seed \(Self.seed)")
      let booked = await buyers.reached.filter { $1 == .ledger && before[$0] != nil }.keys
      #expect(try books.missing(Array(booked)) == 0, "round \(round), \(damage)")
      try await market.ready()
      try await eventually("selling resumes") { await buyers.told.count > before.count }
      await buyers.stop()
      let contradictions = await buyers.contradictions
      #expect(contradictions.isEmpty, "\(contradictions)")
      told.merge(await buyers.told) { $1 }
      let reached = await buyers.reached
      for hold in await buyers.told.keys { tally.levels[reached[hold], default: 0] += 1 }
      let figures = try await market.figures()
      #expect(figures.balance && figures.supplied == 10_000_000)
      #expect(figures.held == UInt64(told.count { $1 == .active }), "round \(round), \(damage)")
      #expect(figures.sold == UInt64(told.count { $1 == .confirmed }), "round \(round), \(damage)")
      #expect(try redis.cli("GET", "stock:x") == "\(figures.available)")
    }
    let lost = try redis.lost(of: told)
    #expect(lost == 0)
    #expect(!redis.log.contains("== CRITICAL =="), "half a script was joined to another")
    print("power cuts: \(tally.text); found: \(told.count - lost) of \(told.count)")
  }

  @Test("the same test finds losses where Redis does not sync before it answers")
  func lossIsFound() async throws {
    let files = try SyncedFiles()
    let redis = try RedisServer.start(fsync: "everysec", environment: files.environment)
    let market = try await Market.open(redis, arguments: ["--acknowledge", "memory"])
    defer { market.close() }
    try await market.supply(10_000_000)
    let buyers = Buyers(market, run: 0, levels: [.memory])
    var tally = Tally()
    try await powerCut(
      market, files, .cut, after: .milliseconds(300), keeping: 0, buyers: buyers, &tally)
    let told = await buyers.told
    await buyers.abandon()
    let lost = try redis.lost(of: told)
    #expect(lost > 0, "of \(told.count) acknowledged")
    print("power cuts: MEMORY, not synced: \(told.count) acknowledged, \(told.count - lost) found")
  }

  @Test("half a script at the end of the file never comes back to life")
  func halfAScript() async throws {
    let redis = try RedisServer.start()
    let market = try await Market.open(redis)
    defer { market.close() }
    try await market.supply(10)
    redis.kill()
    let half = ["*1", "$5", "MULTI", "*3", "$3", "SET", "$7", "phantom", "$1", "1", "*3", "$3"]
    try append(Data(half.joined(separator: "\r\n").utf8), to: redis.folder + "/appendonlydir")
    try redis.restart()
    #expect(redis.log.contains("short read while loading the AOF file"))
    try await market.ready()
    #expect(try await market.reserve("a").outcome == .held)
    redis.kill()
    try redis.restart()
    #expect(try redis.cli("EXISTS", "phantom") == "0")
    #expect(!redis.log.contains("== CRITICAL =="))
    try await market.ready()
    let figures = try await market.figures()
    #expect(figures.held == 1 && figures.balance)
  }

  @Test(
    "garbage at the end of the file: Redis does not start and nothing is sold; repaired, all is there"
  )
  func garbage() async throws {
    let files = try SyncedFiles()
    let redis = try RedisServer.start(environment: files.environment)
    let market = try await Market.open(redis)
    defer { market.close() }
    try await market.supply(1_000_000)
    let buyers = Buyers(market, run: 0)
    await buyers.start()
    try await eventually("the crowd buys") { await buyers.told.count > 100 }
    redis.kill()
    let folder = redis.folder + "/appendonlydir"
    _ = try files.cut(folder)
    // What a file system shows of a block that was allocated and never written.
    try append(Data(count: 4_096), to: folder)
    #expect(throws: HarnessError.self) { try redis.restart() }
    #expect(redis.log.contains("Bad file format"))
    #expect(try await market.health().status == .notServing)
    let told = await buyers.told
    // Not by the manifest: Valkey 9.1's own tool does not know its base file.
    let torn = try #require(redis.log.firstMatch(of: /append only file (\S+\.incr\.aof)/)).1
    let repair = "yes | redis-check-aof --fix \(folder)/\(torn)"
    #expect(try Program.run("sh", ["-c", repair]).status == 0)
    try redis.restart()
    #expect(try redis.lost(of: told) == 0)
    try await market.ready()
    await buyers.stop()
    #expect(await buyers.contradictions.isEmpty)
  }
}

/// SplitMix64: the same numbers for the same seed.
struct Seeded: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
