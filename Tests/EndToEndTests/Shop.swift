import Foundation
import Harness
import RPC
import Testing
import Wire

/// A Redis and a server of a test's own, and clients to it.
final class Shop: Sendable {
  let redis: RedisServer
  let server: Program
  let address: Address

  /// On a Redis that does not sync every write, the server promises MEMORY.
  /// - Parameters:
  ///   - proxyPort: of a proxy between the server and its Redis.
  ///   - environment: of the server; its `REDIS_URL` stands before the address of `redis`.
  static func open(
    redis: RedisServer? = nil, proxyPort: UInt16? = nil, arguments: [String] = [],
    environment: [String: String] = [:]
  ) async throws -> Shop {
    let redis = try redis ?? RedisServer.start()
    let port = freePort()
    let url = ["REDIS_URL": "redis://127.0.0.1:\(proxyPort ?? redis.port)"]
    let server = try Program.start(
      "stockd",
      ["--listen", "127.0.0.1:\(port)"]
        + (redis.syncsEveryWrite ? [] : ["--acknowledge", "memory"]) + arguments,
      environment: url.merging(environment) { $1 })
    try await server.waitForLog("listening on")
    let shop = Shop(redis, server, Address(host: "127.0.0.1", port: port))
    return shop
  }

  private init(_ redis: RedisServer, _ server: Program, _ address: Address) {
    self.redis = redis
    self.server = server
    self.address = address
  }

  func close() {
    server.stop()
    redis.stop()
  }

  func client() -> StockClient { StockClient(to: address) }

  /// Waits until the server sells.
  func ready() async throws {
    let client = client()
    try await eventually("the server sells") {
      try await client.call(HealthCheckRequest()).status == .serving
    }
    await client.close()
  }

  /// Sets stock through a client of its own.
  func supply(_ units: UInt64, of sku: String = "x") async throws {
    let client = client()
    let request = UUID().uuidString
    let reply = try await client.call(
      SetStockRequest(sku: sku, available: units, requestID: request))
    #expect(reply.outcome == .stockSet)
    await client.close()
  }

  func stock(_ sku: String = "x") async throws -> StockLevel {
    let client = client()
    let reply = try await client.call(GetStockRequest(sku: sku))
    await client.close()
    return try #require(reply.stock)
  }

  func ctl(_ arguments: String...) throws -> Program.Outcome {
    try Program.run("stockctl", arguments + ["--address", "\(address)"])
  }

  /// How many events of a type the stream holds.
  func events(_ type: String) throws -> Int {
    try redis.cli("XRANGE", "inventory.events", "-", "+")
      .split(separator: "\n").filter { $0 == type }.count
  }
}

extension ReserveRequest {
  static func of(
    _ key: String, sku: String = "x", qty: UInt64 = 1, user: String = "u", ttlMs: UInt64 = 0
  ) -> ReserveRequest {
    ReserveRequest(sku: sku, qty: qty, userID: user, idempotencyKey: key, ttlMs: ttlMs)
  }
}

/// What a call came to.
func outcome<Reply>(_ call: () async throws(Status) -> Reply) async -> Result<Reply, Status> {
  do throws(Status) { return .success(try await call()) } catch { return .failure(error) }
}
