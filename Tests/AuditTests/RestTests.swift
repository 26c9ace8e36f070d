import Foundation
import Harness
import HotPath
import Inventory
import Ledger
import RPC
import Testing
import Wire

@testable import Audit
@testable import HotPath

@Suite("What the audit does while nobody writes")
struct RestTests {
  @Test(
    "a lap has the pace of its time, a small shop's more, and never more than is set",
    arguments: [
      (holds: 0, lapMs: 86_400_000, rate: 20_000, step: 40, everyMs: 2_000),
      (500_000, 86_400_000, 20_000, 40, 2_000),
      (2_000_000, 3_600_000, 20_000, 1_000, 1_798),
      (2_000_000, 60_000, 20_000, 1_000, 50),
      (2_000_000, 60_000, 100, 200, 2_000),
    ] as [(holds: Int, lapMs: UInt64, rate: UInt64, step: Int, everyMs: UInt64)])
  func pace(holds: Int, lapMs: UInt64, rate: UInt64, step: Int, everyMs: UInt64) {
    let pace = ContinuousAudit.pace(past: holds, withinMs: lapMs, holdsPerSecond: rate)
    #expect(pace == (step, everyMs))
  }

  @Test("a pass over the last hour takes wide steps where little is, and narrow ones in a crowd")
  func widths() {
    var pass = RecentPass(now: 10_000_000)
    var (widths, passed) = ([UInt64](), 0)
    while !pass.isOver {
      let step = pass.next { after, to in
        widths.append(to - after)
        return Array(repeating: "H", count: to > 9_900_000 ? Int(to - after) * 20 : 0)
      }
      passed += step.count
      #expect(step.count <= AuditLimits.stepHoldsMax)
    }
    #expect(widths.reduce(0, +) == AuditLimits.recentMs, "nothing is left out")
    #expect(passed >= 2_000_000, "nor anything that was found")
    #expect(widths.max() == RecentPass.widthMsMax && widths.count < 20_000)
    #expect(widths.suffix(100).max()! <= 100, "2,000 holds at once, about")
  }

  @Test("commands that cannot touch the record of a hold are no writes; all others may be")
  func commands() {
    func writes(_ lines: [String], expired: Int = 0) -> RecordWrites {
      RecordWrites(
        commands: RedisInfo(
          "# Commandstats\r\n"
            + lines.map { "cmdstat_\($0),usec=9,usec_per_call=1.00\r\n" }.joined()),
        stats: RedisInfo("# Stats\r\nexpired_keys:\(expired)\r\nevicted_keys:0\r\n"))
    }
    let before = writes(["set:calls=1", "hset:calls=5", "config|get:calls=1"])
    #expect(
      before == writes(["set:calls=1", "hset:calls=99", "config|get:calls=7", "xadd:calls=1"]))
    for other in [
      ["set:calls=2"], ["set:calls=1", "del:calls=1"], ["set:calls=1", "made_up:calls=1"],
      ["set:calls=1", "zunionstore:calls=1"], [],
    ] {
      #expect(before != writes(other), "\(other)")
    }
    #expect(before != writes(["set:calls=1", "hset:calls=5"], expired: 1))
  }

  @Test("server and worker at rest write into no hold; a hand's write is noticed, in either store")
  func rest() async throws {
    let market = try await Market.open(worker: [])
    defer { market.close() }
    try await market.supply(10, of: "x")
    let hold = try await market.reserve("k", of: "x")
    try await market.booksAreUpToDate()
    let stores = try Stores(market.auditor.settings)
    var writes = Writes()
    func isQuiet() throws -> Bool {
      try writes.look(stores, round: 1)
      guard writes.wantPass else { return true }
      writes.passBegins()
      writes.passEnds()
      return false
    }
    func becomesQuiet() async throws {
      try await eventually(timeout: .seconds(60), "nobody writes while the worker speaks thrice") {
        _ = try isQuiet()
        try await market.redis.workersSpeak(3)
        return try isQuiet()
      }
    }
    try await becomesQuiet()
    try market.redis.cli("SETRANGE", "hold:\(hold.prefix(30))", "0", "x")
    #expect(try !isQuiet())
    try market.psql("UPDATE holds SET qty = qty")
    try await eventually(timeout: .seconds(20), "the books' write is counted") { try !isQuiet() }
    try await becomesQuiet()
  }

  @Test("a pass is for the writes before it; one meanwhile asks for another")
  func passes() throws {
    let redis = try RedisServer.start()
    defer { redis.stop() }
    let database = try PostgresServer.shared().createDatabase()
    let stores = try Stores(
      AuditSettings(
        redis: RedisAddress(redis.url)!, database: DatabaseAddress(database)!, name: "test"))
    var writes = Writes()
    try writes.look(stores, round: 1)
    #expect(!writes.wantPass, "the first lap passes everything")
    try redis.cli("SET", "anything", "1")
    try writes.look(stores, round: 2)
    #expect(writes.wantPass)
    writes.passBegins()
    try redis.cli("SET", "anything", "2")
    try writes.look(stores, round: 3)
    writes.passEnds()
    #expect(writes.wantPass)
    writes.passBegins()
    writes.passEnds()
    #expect(!writes.wantPass)
  }

  @Test("after a rebuild the books have all that the stream ever gave, though nothing was read")
  func watermark() throws {
    let redis = try RedisServer.start()
    defer { redis.stop() }
    try redis.cli("XADD", "inventory.events", "1795550803038-7", "a", "b")
    try redis.cli("XTRIM", "inventory.events", "MAXLEN", "0")
    try redis.cli("XGROUP", "CREATE", "inventory.events", KeySpace.group, "0")
    let view = try StoreView(at: RedisAddress(redis.url)!)
    let newest = StreamID(ms: 1_795_550_803_038, sequence: 7)
    #expect(try view.applied() == newest)
    try redis.cli("XADD", "inventory.events", "1795550803039-0", "a", "b")
    #expect(try view.applied()! < newest, "now something waits")
  }

  @Test("the sums of a SKU that stands still are not asked for again; each is made anew by turns")
  func sums() async throws {
    let market = try await Market.open()
    defer { market.close() }
    try await market.supply(10, of: "x")
    _ = try await market.reserve("k", of: "x")
    try await market.booksAreUpToDate()
    let examination = Examination(in: try Stores(market.auditor.settings))
    try examination.compareStock(rowsMax: 0)
    #expect(examination.sums.rows == 2 && examination.stock.skus == 1)
    let round = examination.sums.round
    try examination.compareStock(rowsMax: 0, haveBooksChanged: false)
    #expect(!examination.sums.areAll(since: round + 1))
    try examination.compareStock(rowsMax: 1, haveBooksChanged: false)
    try examination.compareStock(rowsMax: 1, haveBooksChanged: false)
    #expect(examination.sums.areAll(since: round + 1), "two rows, one a round")
    // What Redis says is read every time.
    try market.redis.cli("HINCRBY", "sku:x", "held", "1")
    try examination.compareStock(rowsMax: 0, haveBooksChanged: false)
    let kinds = try examination.report(tookMs: 0).differences.map(\.kind)
    #expect(kinds == [.counterDrift, .stockUnbalanced])
  }
}
