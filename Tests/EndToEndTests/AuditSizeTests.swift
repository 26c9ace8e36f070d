import Foundation
import Harness
import RPC
import Testing
import Wire

/// The audit's calls where there is more than one call, or one plan, can do.
@Suite("stockctl audit, at a size")
struct AuditSizeTests {
  @Test("more differences than a plan has entries: one repair ends them all")
  func plans() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let office = try await Office.open(redis: shop.redis, arguments: ["--audit-every", "0"])
    defer {
      office.close()
      shop.close()
    }
    try await shop.supply(2_000)
    let client = shop.client()
    let batch = try await client.call(
      BatchReserveRequest(items: (0..<1_100).map { ReserveRequest.of("k\($0)") }),
      timeoutMs: 60_000)
    #expect(try batch.results.allSatisfy { try $0.get().outcome == .held })
    await client.close()
    try await eventually(timeout: .seconds(60), "the holds are in the books") {
      try office.sql("SELECT count(*) FROM holds") == "1100"
    }
    _ = try office.sql("DELETE FROM holds")
    let done = try office.ctl(
      "audit", "--sku", "x", "--repair", "--yes", "--reason", "a test", "--actor", "ada")
    #expect(done.status == 0 && done.stdout.contains("verdict=BALANCED"), "\(done.stderr)")
    #expect(done.stdout.matches(of: /written=/).count == 1_100)
    #expect(try office.sql("SELECT count(*) FROM holds") == "1100")
    #expect(try office.ctl("audit").status == 0)
  }

  @Test("who asks for a repair, and does not say who, is told so before a worker is asked")
  func actor() async throws {
    for command in [
      ["audit", "--sku", "x", "--repair", "--yes", "--reason", "r"],
      ["dead", "discard", "e/1", "--reason", "r"],
    ] {
      let told = try Program.run(
        "stockctl", command + ["--address", "127.0.0.1:1"], environment: ["USER": ""])
      #expect(told.status == 64 && told.stderr.contains("USER is not set: say --actor"), "\(told)")
    }
  }

  @Test("an audit that takes longer than its call: the answer says so, and the next one has it")
  func longer() async throws {
    let office = try await Office.open(
      arguments: ["--audit-every", "0", "--postgres-timeout", "600000"])
    defer { office.close() }
    let client = office.client()
    let before = try await client.call(RunAuditRequest(), timeoutMs: 60_000)
    #expect(before.run == 0 && before.verdict == "BALANCED", "\(before)")

    let lock = try Program.start(
      "psql", ["-d", office.database, "-c", "LOCK TABLE holds; SELECT pg_sleep(3600)"])
    defer { lock.stop() }
    try await eventually("nobody else reads the holds") {
      try office.sql(
        """
        SELECT count(*) FROM pg_locks
        WHERE relation = 'holds'::regclass AND mode = 'AccessExclusiveLock' AND granted
        """) == "1"
    }
    let first = try await client.call(RunAuditRequest(), timeoutMs: 1_000)
    #expect(first.run > 0 && first.verdict == "UNDECIDED", "\(first)")
    #expect(first.undecided == "the audit is under way")
    let second = try await client.call(RunAuditRequest(run: first.run), timeoutMs: 1_000)
    #expect(second.run == first.run)
    let other = try await client.call(RunAuditRequest(), timeoutMs: 1_000)
    #expect(other.run > first.run, "it may have begun before what this caller wants to see")
    _ = try office.sql(
      """
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND query LIKE 'LOCK TABLE%'
      """)
    let last = try await client.call(RunAuditRequest(run: first.run), timeoutMs: 60_000)
    #expect(last.run == 0 && last.verdict == "BALANCED", "\(last)")
    let unknown = try await client.call(RunAuditRequest(run: 4_711), timeoutMs: 60_000)
    #expect(unknown.run == 0 && unknown.verdict == "BALANCED", "\(unknown)")
    await client.close()
  }
}
