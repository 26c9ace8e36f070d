import Harness
import RPC
import Testing
import Wire

/// Lists that are longer than anybody wants to wait for.
@Suite("Long lists")
struct LongListTests {
  private static let holds = 10_000

  /// Books with many holds, which no Redis knows.
  private func open() async throws -> Office {
    let office = try await Office.open(arguments: ["--audit-every", "0"])
    _ = try office.sql(
      """
      INSERT INTO holds (hold_id, sku, qty, user_id, status, expires_at, created_at,
        idempotency_key, version, changed_at, stream_ms, stream_seq)
      SELECT 'H-00' || lpad(i::text, 26, '0') || '-' || ms, 'sku-' || i % 60, 1, 'user-' || i % 600,
        'EXPIRED', at + interval '60 s', at, 'k', 2, at, i, 0
      FROM generate_series(1, \(Self.holds)) AS i,
        LATERAL (SELECT 1795000000000 + i / 3 AS ms) AS made,
        LATERAL (SELECT to_timestamp(ms / 1000.0) AS at) AS moment;
      ANALYZE holds
      """)
    return office
  }

  /// How often holds were asked for, and how many connections there were.
  private func counted(_ office: Office) async throws -> (pages: UInt64, connections: UInt64) {
    let client = office.client()
    let state = try await client.call(StateRequest()).shards[0]
    await client.close()
    let pages = state.methods.first { $0.method == ListHoldsRequest.method }?.calls ?? 0
    return (pages, state.connectionsMade)
  }

  private func shell(_ line: String, _ office: Office) throws -> Program.Outcome {
    try Program.run(
      "bash", ["-c", line],
      environment: [
        "CTL": try Program.executable(named: "stockctl"),
        "STOCK_WORKER_ADDRESS": "\(office.address)",
      ])
  }

  @Test("rows are printed as they are read, on one connection, in pages as large as they may be")
  func whole() async throws {
    let office = try await open()
    defer { office.close() }
    let before = try await counted(office)
    let list = try shell(#""$CTL" hold list --all"#, office)
    let lines = list.stdout.split(separator: "\n")
    #expect(list.status == 0 && lines.count == Self.holds + 1, "\(lines.prefix(3)) \(list.stderr)")
    #expect(lines[0].hasPrefix("hold id") && Set(lines.map { $0.prefix(30) }).count == lines.count)
    let after = try await counted(office)
    #expect(after.connections - before.connections == 2, "the list's, and that of this question")
    #expect(after.pages - before.pages <= UInt64(Self.holds / ListHoldsRequest.limitMax) + 1)
  }

  @Test("who wants no more than the beginning has it at once, and nothing more is read")
  func beginning() async throws {
    let office = try await open()
    defer { office.close() }
    for json in ["", " --json"] {
      let before = try await counted(office)
      let first = try shell("set -o pipefail; \"$CTL\" hold list --all\(json) | head -n 1", office)
      #expect(first.status == 0 && first.stdout.split(separator: "\n").count == 1, "\(first)")
      let after = try await counted(office)
      #expect(after.pages - before.pages <= 5, "of \(Self.holds / ListHoldsRequest.limitMax)")
    }
  }
}
