import Audit
import Foundation
import Harness
import HotPath
import Inventory
import Ledger
import Testing

@testable import Audit

@Suite("The audit while something is away, behind or under way")
struct FaultTests {
  private let x = SKU("x")!
  private let anna = Label("anna")!

  @Test(
    "the audit keeps its pace, and takes a quarter of the time at most where the stores are slow",
    arguments: [(0, 50), (5, 45), (12, 38), (20, 60), (50, 150), (400, 1_200)] as [(UInt64, UInt64)]
  )
  func pace(tookMs: UInt64, pauseMs: UInt64) {
    #expect(ContinuousAudit.pauseMs(after: tookMs, ofStep: 50) == pauseMs)
  }

  @Test("a heavy sale: nothing is reported while it goes on, nor after")
  func underLoad() async throws {
    let market = try await Market.open(worker: ["--audit-every", "500"])
    defer { market.close() }
    for sku in ["a", "b", "c"] { try await market.supply(1_000_000, of: sku) }
    let buyers = Buyers(market, skus: ["a", "b", "c"])
    await buyers.start(16)
    let end = ContinuousClock.now + .seconds(8)
    var reports = 0
    while ContinuousClock.now < end {
      let report = try market.auditor.examine()
      #expect(report.count == 0, "\(report.differences)")
      if report.undecided == nil { reports += 1 }
    }
    let calls = await buyers.stop()
    print("\(calls) calls, \(reports) whole audits meanwhile")
    #expect(calls > 1_000 && reports > 0)
    try await market.booksAreUpToDate()
    let report = try market.auditor.examine()
    #expect(report.verdict == .balanced && report.records > 300, "\(report)")
    #expect(!market.worker.log.contains("ALARM: the store"))
    for sku in ["a", "b", "c"] {
      let figures = try market.figures(of: sku)
      #expect(figures.redis == figures.books)
    }
  }

  @Test("a worker that is stopped: cannot tell yet, and no plan; when it is back: balanced")
  func booksBehind() async throws {
    let market = try await Market.open()
    defer { market.close() }
    try await market.supply(10, of: "x")
    try await market.booksAreUpToDate()
    market.worker.pause()
    _ = try await market.reserve("k", of: "x")
    let report = try market.auditor.examine()
    #expect(report.verdict == .undecided && report.count == 0, "\(report)")
    #expect(report.undecided?.contains("the books are behind") == true)
    let plan = try market.auditor.plan(for: x)
    #expect(plan.entries.isEmpty && plan.refusals.first?.contains("cannot tell yet") == true)
    #expect(throws: AuditFault.self) {
      try market.auditor.repair(x, plan: plan.id, actor: anna, reason: anna)
    }
    market.worker.resume()
    try await market.booksAreUpToDate()
    #expect(try market.auditor.examine().verdict == .balanced)
  }

  @Test("a Redis that has forgotten: no difference and no plan, since it is to be rebuilt")
  func forgotten() async throws {
    let market = try await Market.open()
    defer { market.close() }
    try await market.supply(10, of: "x")
    _ = try await market.reserve("k", of: "x")
    try await market.booksAreUpToDate()
    try market.redis.cli("FLUSHALL")
    let report = try market.auditor.examine()
    #expect(report.verdict == .undecided && report.count == 0, "\(report)")
    #expect(report.undecided?.contains("not open to the sale") == true)
    let plan = try market.auditor.plan(for: x)
    #expect(plan.entries.isEmpty && plan.refusals.first?.contains("cannot tell yet") == true)
  }

  @Test("PostgreSQL away, then Redis: it says so, and goes on when they are back")
  func away() async throws {
    let postgres = try PostgresServer.start()
    defer { postgres.stop() }
    let market = try await Market.open(postgres: postgres, worker: ["--audit-every", "500"])
    defer { market.close() }
    try await market.supply(10, of: "x")
    try await eventually("it audits") { try market.audit("skus") == "1" }
    postgres.kill()
    let books = #expect(throws: AuditFault.self) { try market.auditor.examine() }
    #expect(books?.description.hasPrefix("postgresql: ") == true)
    try await market.worker.waitForLog("the audit cannot tell yet")
    try postgres.restart()
    try await market.worker.waitForLog("the audit can tell again", timeout: .seconds(20))

    market.redis.kill()
    let store = #expect(throws: AuditFault.self) { try market.auditor.examine() }
    #expect(store?.description.hasPrefix("redis: ") == true)
    try market.redis.restart()
    try await eventually(timeout: .seconds(20), "it audits again") {
      try market.auditor.examine().verdict == .balanced
        && market.worker.log.components(separatedBy: "the audit can tell again").count == 3
    }
    #expect(!market.worker.log.contains("ALARM: the store"))
  }

  @Test("of two workers one audits; when it goes, the other does")
  func oneAtATime() async throws {
    let market = try await Market.open(worker: ["--audit-every", "500"])
    defer { market.close() }
    try await eventually("one audits") { try market.audit("worker") == "one" }
    let other = try Market.startWorker(
      market.redis, market.database, ["--audit-every", "500", "--name", "two"])
    defer { other.stop() }
    try await other.waitForLog("ready")
    #expect(!other.log.contains("auditing"))
    market.worker.kill()
    try await eventually("the other audits") { try market.audit("worker") == "two" }
  }

  @Test("a dead letter explains what it is about, and is settled before any repair")
  func deadLetters() async throws {
    let market = try await Market.open(worker: ["--audit-every", "500"])
    defer { market.close() }
    try await market.supply(10, of: "x")
    try await market.booksAreUpToDate()
    try market.psql("ALTER TABLE holds ADD CONSTRAINT no_three CHECK (qty <> 3)")
    let lost = try await market.reserve("three", of: "x", qty: 3)
    let replayed = try await market.reserve("three more", of: "x", qty: 3)
    try await market.booksAreUpToDate()
    var report = try market.auditor.examine()
    #expect(report.verdict == .balanced && report.explained == 3, "\(report)")
    #expect(Set(report.differences.map(\.kind)) == [.counterDrift, .holdMissing])
    #expect(report.differences.allSatisfy { $0.letters.contains { $0.hasPrefix("H-") } })
    let early = try market.auditor.plan(for: x)
    #expect(early.refusals.count == 2 && early.refusals[0].contains("dead letter H-"))
    #expect(throws: AuditFault.self) {
      try market.auditor.repair(x, plan: early.id, actor: anna, reason: anna)
    }

    try market.psql("ALTER TABLE holds DROP CONSTRAINT no_three")
    let letters = try DeadLetters(at: RedisAddress(market.redis.url)!)
    #expect(try letters.replay("\(replayed)/1") != nil)
    #expect(try letters.discard("\(lost)/1"))
    try await market.booksAreUpToDate()
    report = try market.auditor.examine()
    #expect(report.differences.map(\.kind) == [.counterDrift, .holdMissing], "\(report)")
    #expect(report.explained == 0 && report.differences[1].hold == lost)
    try await market.worker.waitForLog("kind=HOLD_MISSING_IN_BOOKS")
    let plan = try market.auditor.plan(for: x)
    #expect(plan.entries.count == 1 && plan.refusals.isEmpty, "\(plan)")
    let outcome = try market.auditor.repair(x, plan: plan.id, actor: anna, reason: anna)
    #expect(outcome.left.isEmpty && outcome.undecided == nil)
    try await market.confirm(lost)
    try await market.booksAreUpToDate()
    #expect(try market.auditor.examine().verdict == .balanced)
    try await eventually("the worker's audit finds it balanced") {
      try market.audit("verdict") == "BALANCED"
    }
  }

  @Test("a letter that nobody can read stands in the way of every repair")
  func unreadableLetter() async throws {
    let market = try await Market.open()
    defer { market.close() }
    try await market.supply(10, of: "x")
    try market.redis.cli("XADD", "inventory.events", "*", "HOLD_MELTED", "garbage")
    try await market.booksAreUpToDate()
    try market.redis.cli("HINCRBY", "sku:x", "held", "1")
    let plan = try market.auditor.plan(for: x)
    #expect(plan.refusals.count == 1 && plan.refusals[0].contains("cannot be read"))
    #expect(!plan.entries.isEmpty)
  }

  @Test("sold since the dry run: a correction that does not fit any more is not written")
  func soldMeanwhile() async throws {
    let market = try await Market.open()
    defer { market.close() }
    try await market.supply(10, of: "x")
    try await market.booksAreUpToDate()
    for figure in ["available", "supplied"] {
      try market.redis.cli("HINCRBY", "sku:x", figure, "5")
    }
    try market.redis.cli("INCRBY", "stock:x", "5")
    let plan = try market.auditor.plan(for: x)
    #expect(plan.entries.count == 1 && plan.refusals.isEmpty, "\(plan)")
    _ = try await market.reserve("twelve", of: "x", qty: 12)
    let before = try market.redis.cli("XLEN", "inventory.events")
    let stores = try Stores(market.auditor.settings)
    #expect(try stores.write(plan.entries[0], actor: anna, reason: anna) == nil)
    #expect(try market.redis.cli("XLEN", "inventory.events") == before)
    try await market.booksAreUpToDate()
    let next = try market.auditor.plan(for: x)
    #expect(next.refusals.count == 1 && next.refusals[0].contains("available -2,"), "\(next)")
  }

  @Test("cut off in the middle, a repair leaves whole entries, and the next one ends it")
  func cutOff() async throws {
    let market = try await Market.open()
    defer { market.close() }
    try await market.supply(10, of: "x")
    var holds: [String] = []
    for number in 1...3 { holds.append(try await market.reserve("key \(number)", of: "x")) }
    try await market.booksAreUpToDate()
    for hold in holds { try market.redis.cli("DEL", "hold:\(hold.prefix(30))") }
    let plan = try market.auditor.plan(for: x)
    #expect(plan.entries.count == 4, "three holds, and what Redis holds for them")

    // As far as a repair gets that is killed after its second entry.
    let stores = try Stores(market.auditor.settings)
    for entry in plan.entries.prefix(2) {
      #expect(try stores.write(entry, actor: anna, reason: anna) != nil)
    }
    try await market.booksAreUpToDate()
    let report = try market.auditor.examine()
    #expect(report.differences.map(\.kind) == [.counterDrift, .holdExtra], "\(report)")
    #expect(throws: AuditFault.self) {
      try market.auditor.repair(x, plan: plan.id, actor: anna, reason: anna)
    }
    for entry in plan.entries.prefix(2) {
      #expect(try stores.write(entry, actor: anna, reason: anna) == nil, "nothing a second time")
    }
    try await market.booksAreUpToDate()
    let rest = try market.auditor.plan(for: x)
    #expect(rest.entries.count == 2)
    let outcome = try market.auditor.repair(x, plan: rest.id, actor: anna, reason: anna)
    #expect(outcome.left.isEmpty && outcome.undecided == nil && outcome.written.count == 2)
    #expect(try market.auditor.examine().verdict == .balanced)
    #expect(try market.figures(of: "x").redis == "10|0|0|10")
  }

  @Test("Redis killed in the middle of a repair (SIGKILL): the next one ends it")
  func redisKilled() async throws {
    let market = try await Market.open()
    defer { market.close() }
    try await market.supply(1_000, of: "x")
    for number in 0..<200 { _ = try await market.reserve("key \(number)", of: "x") }
    try await market.booksAreUpToDate()
    try market.psql("DELETE FROM holds")
    let plan = try market.auditor.plan(for: x)
    #expect(plan.entries.count == 200)
    let (auditor, x, anna) = (market.auditor, x, anna)
    let repair = Task.detached { try auditor.repair(x, plan: plan.id, actor: anna, reason: anna) }
    let before = try Int(market.redis.cli("XLEN", "inventory.events"))!
    try await eventually("some entries are written") {
      try Int(market.redis.cli("XLEN", "inventory.events"))! > before + 5
    }
    market.redis.kill()
    let fault = await #expect(throws: AuditFault.self) { try await repair.value }
    guard case .interrupted(.redis) = fault else {
      Issue.record("some was written: \(fault as Any)")
      return
    }
    try market.redis.restart()
    try await market.booksAreUpToDate()
    let rest = try auditor.plan(for: x)
    #expect((1..<195).contains(rest.entries.count), "\(rest.entries.count) are left")
    let outcome = try auditor.repair(x, plan: rest.id, actor: anna, reason: anna)
    #expect(outcome.left.isEmpty && outcome.written.count == rest.entries.count)
    #expect(try auditor.examine().verdict == .balanced)
    #expect(
      try market.psql(
        "SELECT count(*), count(DISTINCT event_id) FROM stock_movements "
          + "WHERE cause = 'HOLD_CORRECTED'") == "200|200")
  }

  @Test("Redis killed after the last entry (SIGKILL): what was written is said all the same")
  func redisKilledAfterwards() async throws {
    let market = try await Market.open()
    defer { market.close() }
    try await market.supply(10, of: "x")
    try await market.confirm(try await market.reserve("k", of: "x"))
    try await market.booksAreUpToDate()
    try market.psql("DELETE FROM orders")
    let plan = try market.auditor.plan(for: x)
    let (auditor, x, anna) = (market.auditor, x, anna)
    // The repair waits for the books.
    market.worker.pause()
    let before = try Int(market.redis.cli("XLEN", "inventory.events"))!
    let repair = Task.detached { try auditor.repair(x, plan: plan.id, actor: anna, reason: anna) }
    try await eventually("it is written") {
      try Int(market.redis.cli("XLEN", "inventory.events"))! > before
    }
    market.redis.kill()
    let outcome = try await repair.value
    #expect(outcome.written.map(\.entry) == plan.entries && outcome.left.isEmpty)
    #expect(outcome.undecided == "the stock store cannot be reached")
  }

  @Test("two repairs at a time: one is told that the other is under way")
  func busy() async throws {
    let market = try await Market.open()
    defer { market.close() }
    try await market.supply(10, of: "x")
    let other = try Stores(market.auditor.settings)
    #expect(try other.books.tryLock("repair"))
    let fault = #expect(throws: AuditFault.self) {
      try market.auditor.repair(x, plan: "0", actor: anna, reason: anna)
    }
    if case .busy = fault {} else { Issue.record("\(fault as Any)") }
    withExtendedLifetime(other) {}
  }

  @Test("the sale goes on while a repair is planned and made")
  func repairUnderLoad() async throws {
    let market = try await Market.open()
    defer { market.close() }
    try await market.supply(1_000_000, of: "x")
    let hold = try await market.reserve("lost", of: "x")
    try await market.booksAreUpToDate()
    try market.psql("DELETE FROM holds WHERE hold_id = '\(hold)'")
    try market.redis.cli("HINCRBY", "sku:x", "supplied", "7")
    // The SKU is closed now; what is confirmed and cancelled moves its figures all the same.
    let buyers = Buyers(market, skus: ["y"])
    try await market.supply(1_000_000, of: "y")
    await buyers.start(4)
    let plan = try market.auditor.plan(for: x)
    #expect(plan.entries.count == 2, "\(plan)")
    let outcome = try market.auditor.repair(x, plan: plan.id, actor: anna, reason: anna)
    #expect(outcome.left.isEmpty && outcome.written.count == 2, "\(outcome)")
    _ = await buyers.stop()
    try await market.booksAreUpToDate()
    let report = try market.auditor.examine()
    #expect(report.verdict == .balanced, "\(report.differences)")
  }
}
