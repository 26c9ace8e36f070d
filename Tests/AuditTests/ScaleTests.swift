import Audit
import Foundation
import Harness
import HotPath
import RPC
import Testing
import Wire

@Suite("The audit at a size")
struct ScaleTests {
  /// Another size for a measurement by hand: `AUDIT_HOLDS=100000 AUDIT_SKUS=2000`.
  private static func size(_ name: String, _ usual: Int) -> Int {
    ProcessInfo.processInfo.environment[name].flatMap(Int.init) ?? usual
  }

  private let holds = size("AUDIT_HOLDS", 20_000)
  private let skus = size("AUDIT_SKUS", 300)

  @Test("drift in one of many holds, and of one of many SKUs: found within ten seconds, cheaply")
  func scale() async throws {
    let market = try await Market.open(worker: ["--log-level", "info"])
    defer { market.close() }
    let last = try await fill(market)
    try await market.booksAreUpToDate()
    try await eventually(timeout: .seconds(120), "a lap has passed all") {
      try market.audit("records") == "\(holds)" && market.audit("rows") == "\(holds)"
        && market.audit("skus") == "\(skus)"
    }
    #expect(try market.audit("verdict") == "BALANCED")

    // What it costs while nothing happens: shares of one core, in a few rounds.
    try market.redis.cli("CONFIG", "RESETSTAT")
    let before = try Cost(of: market)
    try await Task.sleep(for: .seconds(10))
    print(
      "\(holds) holds, \(skus) SKUs: lap \(try market.audit("lap_ms")) ms; "
        + (try Cost(of: market)).share(since: before))
    // Redis's own clock, on the mean, since this machine may do other things too.
    for command in ["eval", "scan"] {
      let us = try microseconds(of: command, market)
      print("\(command): \(us) us")
      #expect(us > 0 && us < 2_000)
    }

    let start = ContinuousClock.now
    try market.psql("UPDATE holds SET expires_at = expires_at + '1 s' WHERE hold_id = '\(last)'")
    try market.redis.cli("HINCRBY", "sku:sku-\(skus - 1)", "held", "1")
    try await eventually("both are found") {
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

/// Processor time that each process has taken, in milliseconds.
private struct Cost {
  private var redis = 0
  private var worker = 0
  private var postgres = 0
  private let at = ContinuousClock.now

  init(of market: Market) throws {
    let pid = try market.redis.cli("INFO", "server").split(whereSeparator: \.isNewline)
      .first { $0.hasPrefix("process_id:") }?.split(separator: ":").last.flatMap { Int32($0) }
    redis = Self.ms(of: pid ?? 0)
    worker = Self.ms(of: market.worker.pid)
    let backend = try market.psql(
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'stockworker audit one' "
        + "AND datname = current_database()")
    postgres = Self.ms(of: Int32(backend) ?? 0)
  }

  func share(since before: Cost) -> String {
    let elapsed = (at - before.at).components
    let ms = Double(elapsed.seconds) * 1000
    func percent(_ now: Int, _ then: Int) -> String {
      "\((Double(now - then) / ms * 1000).rounded() / 10)%"
    }
    return "of a core, redis \(percent(redis, before.redis)), "
      + "worker \(percent(worker, before.worker)), postgresql \(percent(postgres, before.postgres))"
  }

  private static func ms(of pid: Int32) -> Int {
    let stat = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
    let fields = stat.drop { $0 != ")" }.split(separator: " ")
    guard fields.count > 12 else { return 0 }
    return ((Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)) * 10
  }
}
