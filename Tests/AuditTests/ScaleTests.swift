import Audit
import Foundation
import Harness
import HotPath
import RPC
import Testing
import Wire

@Suite("The audit at a size")
struct ScaleTests {
  /// More than a step, a page and a script take; `infra/bench.sh audit` measures more.
  private let holds = 3_000
  private let skus = 200

  @Test("drift in one of many holds, and of one of many SKUs, is found; no script takes long")
  func scale() async throws {
    let market = try await Market.open(
      worker: ["--log-level", "info", "--audit-lap-ms", "60000"])
    defer { market.close() }
    let last = try await fill(market)
    try await market.booksAreUpToDate()
    try await eventually(timeout: .seconds(120), "a lap has passed all") {
      try market.audit("records") == "\(holds)" && market.audit("rows") == "\(holds)"
        && market.audit("skus") == "\(skus)"
    }
    #expect(try market.audit("verdict") == "BALANCED")

    try market.redis.cli("CONFIG", "RESETSTAT")
    // Redis's own clock, on the mean, since this machine may do other things too.
    for command in ["eval", "scan"] {
      try await eventually("it goes on") { try microseconds(of: command, market) > 0 }
      let us = try microseconds(of: command, market)
      print("\(command): \(us) us")
      #expect(us < 2_000)
    }

    let start = ContinuousClock.now
    try market.psql("UPDATE holds SET expires_at = expires_at + '1 s' WHERE hold_id = '\(last)'")
    try market.redis.cli("HINCRBY", "sku:sku-\(skus - 1)", "held", "1")
    // The ten seconds are measured with a release, on a machine that does nothing else.
    try await eventually(timeout: .seconds(60), "both are found") {
      try market.audit("kinds") == "COUNTER_DRIFT=1 HOLD_STATE=1 STOCK_UNBALANCED=1"
    }
    print("found after \(ContinuousClock.now - start)")
  }

  private func microseconds(of command: String, _ market: Market) throws -> Double {
    let line = try market.redis.cli("INFO", "commandstats").split(whereSeparator: \.isNewline)
      .first { $0.hasPrefix("cmdstat_\(command):") }
    let field = line?.split(separator: ",").first { $0.hasPrefix("usec_per_call=") }
    return field.flatMap { Double($0.dropFirst("usec_per_call=".count)) } ?? 0
  }

  /// - Returns: the id of the last hold.
  private func fill(_ market: Market) async throws -> String {
    let client = market.client()
    for sku in 0..<skus {
      _ = try await client.call(
        SetStockRequest(sku: "sku-\(sku)", available: 1_000_000, requestID: "fill \(sku)"))
    }
    var last = ""
    for start in stride(from: 0, to: holds, by: 2_000) {
      let items = (start..<min(start + 2_000, holds)).map {
        ReserveRequest(
          sku: "sku-\($0 % skus)", qty: 1, userID: "u", idempotencyKey: "\($0)",
          ttlMs: 3_600_000)
      }
      let reply = try await client.call(BatchReserveRequest(items: items), timeoutMs: 60_000)
      last = try #require(reply.results.last).get().holdID
    }
    await client.close()
    return last
  }
}
