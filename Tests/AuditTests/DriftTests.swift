import Audit
import Harness
import HotPath
import Inventory
import Testing

@Suite("Every kind of drift, made by hand")
struct DriftTests {
  private let anna = Label("anna")!

  /// A SKU of ten units, two of them in a hold.
  private func prepare(_ market: Market, _ drift: Drift, _ sku: String) async throws -> String {
    try await market.supply(10, of: sku)
    let hold = try await market.reserve("key of \(sku)", of: sku)
    if drift.sold { try await market.confirm(hold) }
    return hold
  }

  @Test("all at once: each is found and named within ten seconds, with the settings as they are")
  func found() async throws {
    let market = try await Market.open(worker: [])
    defer { market.close() }
    let drifts = Drift.repairable + Drift.forPersons
    var holds: [String] = []
    for (place, drift) in drifts.enumerated() {
      holds.append(try await prepare(market, drift, "sku-\(place)"))
    }
    try await market.booksAreUpToDate()
    try await eventually("the audit has seen all SKUs, and found nothing") {
      try market.audit("skus") == "\(drifts.count)" && market.audit("verdict") == "BALANCED"
    }
    let start = ContinuousClock.now
    for (place, drift) in drifts.enumerated() {
      try drift.make(market, "sku-\(place)", holds[place])
    }
    var counts: [Difference.Kind: Int] = [:]
    for kind in drifts.flatMap(\.kinds) { counts[kind, default: 0] += 1 }
    let expected = counts.sorted { $0.key < $1.key }.map { "\($0.key.rawValue)=\($0.value)" }
      .joined(separator: " ")
    try await eventually("all are named: \(expected)") { try market.audit("kinds") == expected }
    print("all found after \(ContinuousClock.now - start)")
    #expect(try market.audit("verdict") == "DIFFERS")
    #expect(
      try market.audit("differences") == "\(drifts.reduce(0) { $0 + $1.kinds.count })")
    for (place, drift) in drifts.enumerated() where drift.kinds.contains(.counterDrift) {
      #expect(
        market.worker.log.split(separator: "\n").contains {
          $0.contains("ALARM") && $0.contains("COUNTER_DRIFT") && $0.contains("sku=sku-\(place) ")
        }, "\(drift.name)")
    }
  }

  @Test("is repaired by compensating entries after a dry run", arguments: Drift.repairable)
  func repaired(_ drift: Drift) async throws {
    let market = try await Market.open()
    defer { market.close() }
    let hold = try await prepare(market, drift, "x")
    try await market.booksAreUpToDate()
    let auditor = market.auditor
    let before = try auditor.examine()
    #expect(before.verdict == .balanced, "\(before.differences)")
    try drift.make(market, "x", hold)

    let report = try auditor.examine()
    #expect(report.differences.map(\.kind).sorted() == drift.kinds, "\(report.differences)")
    let rows = try market.psql("SELECT count(*) FROM holds")
    let entries = try market.redis.cli("XLEN", "inventory.events")
    let plan = try auditor.plan(for: SKU("x")!)
    for entry in plan.entries { print(entry.text) }
    #expect(!plan.entries.isEmpty && plan.refusals.isEmpty, "\(plan)")
    #expect(try auditor.plan(for: SKU("x")!).id == plan.id)
    #expect(try market.redis.cli("XLEN", "inventory.events") == entries, "a dry run writes nothing")

    let outcome = try auditor.repair(
      SKU("x")!, plan: plan.id, actor: anna, reason: Label("a hand slipped")!)
    #expect(outcome.written.map(\.entry) == plan.entries)
    #expect(outcome.left.isEmpty && outcome.undecided == nil, "\(outcome)")
    let after = try auditor.examine()
    #expect(after.verdict == .balanced, "\(after.differences)")
    let figures = try market.figures(of: "x")
    #expect(figures.redis == figures.books)
    #expect(
      try market.psql(
        "SELECT count(*) FROM stock_movements WHERE actor = 'anna' AND reason = 'a hand slipped'")
        == "\(plan.entries.count)")
    #expect(try Int(market.psql("SELECT count(*) FROM holds"))! >= Int(rows)!)

    // The same again does nothing.
    let written = try market.redis.cli("XLEN", "inventory.events")
    #expect(throws: AuditFault.self) {
      try auditor.repair(SKU("x")!, plan: plan.id, actor: anna, reason: anna)
    }
    #expect(try auditor.plan(for: SKU("x")!).entries.isEmpty)
    #expect(try market.redis.cli("XLEN", "inventory.events") == written)
    // And the SKU sells on.
    let next = try await market.reserve("the next", of: "x", qty: 1)
    try await market.confirm(next)
    try await market.booksAreUpToDate()
    let end = try auditor.examine()
    #expect(end.verdict == .balanced, "\(end.differences)")
  }

  @Test("what only a person can put right gets advice and no entry", arguments: Drift.forPersons)
  func forPersons(_ drift: Drift) async throws {
    let market = try await Market.open()
    defer { market.close() }
    let hold = try await prepare(market, drift, "x")
    try await market.booksAreUpToDate()
    try drift.make(market, "x", hold)
    let report = try market.auditor.examine()
    #expect(report.differences.map(\.kind).sorted() == drift.kinds)
    let plan = try market.auditor.plan(for: SKU("x")!)
    #expect(plan.entries.isEmpty)
    #expect(!plan.advice.isEmpty)
  }
}
