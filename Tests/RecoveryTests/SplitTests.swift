import Harness
import Testing
import Wire

/// Books that two masters have written, as a version without leases could: a person chooses whose holds
/// stand.
@Suite("A split that has happened", .serialized)
struct SplitTests {
  /// Ten units: four sold by both, and the other six by each of two masters.
  private func split() async throws -> Sides {
    let sides = try await Sides.start(units: 10)
    let old = try sides.sql("SELECT opened_run_id FROM fence")
    for key in 0..<4 { _ = try await sides.reserve("early \(key)", side: 0) }
    try await sides.booksCaughtUp(0)
    try await sides.replicate()
    sides.killWorker(0)
    try sides.promote()
    // Its opening has not run out, and nobody reads what it sells.
    for key in 0..<6 {
      #expect(try await sides.reserve("old \(key)", side: 0).outcome == .held)
    }
    let paid = try await sides.reserve("old 0", side: 0)
    _ = try await sides.call(ConfirmRequest(holdID: paid.holdID, paymentRef: "pay"), side: 0)
    try sides.startWorker(1)
    try await sides.sells(1)
    for key in 0..<6 { _ = try await sides.reserve("new \(key)", side: 1) }
    try await sides.booksCaughtUp(1)
    sides.killWorker(1)
    // A worker of a version that does not ask whose events it writes.
    let run = try sides.sql("SELECT opened_run_id FROM fence")
    _ = try sides.sql("UPDATE fence SET opened_run_id = '\(old)'")
    try sides.startWorker(0)
    try await sides.booksCaughtUp(0)
    sides.killWorker(0)
    _ = try sides.sql("UPDATE fence SET opened_run_id = '\(run)'")
    try sides.startWorker(1)
    try await sides.sells(1)
    return sides
  }

  private func rebuild(_ sides: Sides, _ more: String...) throws -> Program.Outcome {
    try Program.run(
      "stockworker",
      ["--redis", sides.sides[1].redis.url, "--database", sides.database, "--rebuild"] + more,
      timeout: .seconds(60))
  }

  @Test("each unit that was sold twice is named with its buyers, and this Redis's holds can stand")
  func chosen() async throws {
    let sides = try await split()
    defer { sides.stop() }
    #expect(try sides.sql("SELECT sum(available_delta) FROM stock_movements") == "-6")

    let plan = try rebuild(sides)
    #expect(plan.status == 0, "\(plan)")
    #expect(plan.stdout.contains("x: its movements say available -6"), "\(plan.stdout)")
    #expect(plan.stdout.contains("6 units are promised twice"))
    let named = plan.stdout.split(separator: "\n").filter { $0.hasPrefix("  x: u (H-") }
    #expect(named.count == 6, "\(plan.stdout)")
    #expect(named.count { $0.contains("paid as pay") && $0.contains(", and u (H-") } == 1)

    let refused = try rebuild(sides, "--accept-loss")
    #expect(refused.status != 0 && refused.stderr.contains("contradict themselves"), "\(refused)")
    #expect(try await sides.health(1).status == .serving, "the sale goes on")

    let done = try rebuild(sides, "--accept-loss", "--release-others")
    #expect(done.status == 0, "\(done)")
    try await sides.sells(1)
    let stock = try await sides.call(GetStockRequest(sku: "x"), side: 1).stock
    #expect(stock?.figures.available == 0 && stock?.figures.held == 10)
    #expect(try await sides.reserve("new 3", side: 1).outcome == .repeated)
    let released = try await sides.reserve("old 3", side: 1)
    #expect(released.outcome == .repeated && released.status == .cancelled)
    let states = "SELECT status, count(*) FROM holds GROUP BY status ORDER BY status"
    #expect(try sides.sql(states) == "ACTIVE|10\nCANCELLED|6")
    #expect(try sides.sql("SELECT status FROM orders") == "VOID")
    #expect(try sides.sql("SELECT sum(available_delta) FROM stock_movements") == "0")
    let why = "SELECT DISTINCT actor, reason FROM stock_movements WHERE actor IS NOT NULL"
    #expect(try sides.sql(why) == "stockworker --rebuild|another Redis made this hold")
    #expect(try rebuild(sides).stdout.contains("holds                16         16          0"))
  }
}
