import Audit
import Foundation
import HotPath
import Harness
import Inventory
import Ledger
import RPC
import Testing
import Wire

/// Both stores, a server and a worker of a test's own.
final class Market: Sendable {
  let redis: RedisServer
  let postgres: PostgresServer
  let database: String
  let server: Program
  let worker: Program
  private let address: Address

  /// - Parameter worker: more flags of the worker; without any it does not audit by itself.
  static func open(
    postgres: PostgresServer? = nil, worker flags: [String] = ["--audit-every", "0"]
  ) async throws -> Market {
    let market = try Market(try postgres ?? PostgresServer.shared(), flags)
    try await market.worker.waitForLog("ready")
    try await market.server.waitForLog("listening on")
    let client = market.client()
    try await eventually("the server sells") {
      try await client.call(HealthCheckRequest()).status == .serving
    }
    await client.close()
    return market
  }

  private init(_ postgres: PostgresServer, _ flags: [String]) throws {
    redis = try RedisServer.start()
    self.postgres = postgres
    database = try postgres.createDatabase()
    let port = freePort()
    address = Address(host: "127.0.0.1", port: port)
    server = try Program.start(
      "stockd", ["--listen", "127.0.0.1:\(port)", "--redis", redis.url])
    worker = try Self.startWorker(redis, database, flags)
  }

  static func startWorker(
    _ redis: RedisServer, _ database: String, _ flags: [String]
  ) throws -> Program {
    RedisServer.nameBooks(database)
    return try Program.start(
      "stockworker",
      ["--redis", redis.url, "--database", database, "--name", "one", "--log-level", "debug"]
        + flags)
  }

  func close() {
    server.stop()
    worker.stop()
    redis.stop()
  }

  var auditor: Auditor {
    Auditor(
      AuditSettings(
        redis: RedisAddress(redis.url)!, database: DatabaseAddress(database)!, name: "test"))
  }

  @discardableResult
  func psql(_ sql: String) throws -> String { try postgres.psql(database, sql) }

  // MARK: the sale

  func client() -> StockClient { StockClient(to: address) }

  func supply(_ units: UInt64, of sku: String) async throws {
    let client = client()
    let request = SetStockRequest(sku: sku, available: units, requestID: UUID().uuidString)
    #expect(try await client.call(request).outcome == .stockSet)
    await client.close()
  }

  /// Reserves units, and says the hold's id.
  func reserve(
    _ key: String, of sku: String, qty: UInt64 = 2, ttlMs: UInt64 = 0
  ) async throws -> String {
    let client = client()
    let reply = try await client.call(
      ReserveRequest(sku: sku, qty: qty, userID: "u", idempotencyKey: key, ttlMs: ttlMs))
    #expect(reply.outcome == .held)
    await client.close()
    return reply.holdID
  }

  func confirm(_ hold: String) async throws {
    let client = client()
    let reply = try await client.call(ConfirmRequest(holdID: hold, paymentRef: "pay"))
    #expect(reply.outcome == .confirmed)
    await client.close()
  }

  func cancel(_ hold: String) async throws {
    let client = client()
    #expect(try await client.call(CancelRequest(holdID: hold)).outcome == .cancelled)
    await client.close()
  }

  /// Waits until the books have everything.
  func booksAreUpToDate() async throws {
    let view = try StoreView(at: RedisAddress(redis.url)!)
    try await eventually(timeout: .seconds(30), "the books are up to date") {
      let at = try view.stock(of: []).at
      return try view.applied().map { $0 >= at } == true
    }
  }

  // MARK: the audit

  /// A field of what the continuous audit says.
  func audit(_ field: String) throws -> String {
    try redis.cli("HGET", KeySpace().auditFigures, field)
  }

  /// `available|held|sold|supplied` of a SKU in Redis, and as its movements add up.
  func figures(of sku: String) throws -> (redis: String, books: String) {
    let redis = try redis.cli("HMGET", "sku:\(sku)", "available", "held", "sold", "supplied")
    return (
      redis.replacing("\n", with: "|"),
      try psql(
        """
        SELECT sum(available_delta), sum(held_delta), sum(sold_delta), sum(supplied_delta)
        FROM stock_movements WHERE sku = '\(sku)'
        """)
    )
  }
}
