import Foundation
import Harness
import Inventory
import RPC
import Testing
import Wire

/// A Redis and a server of a test's own, with a worker and books where the test needs them.
final class Market: Sendable {
  let redis: RedisServer
  let server: Program
  let address: Address

  /// - Parameters:
  ///   - arguments: of the server.
  ///   - environment: of the server.
  static func open(
    _ redis: RedisServer? = nil, arguments: [String] = [], environment: [String: String] = [:]
  ) async throws -> Market {
    let redis = try redis ?? RedisServer.start()
    let port = freePort()
    let url = environment["REDIS_URL"] == nil ? ["--redis", redis.url] : []
    let server = try Program.start(
      "stockd", ["--listen", "127.0.0.1:\(port)"] + url + arguments, environment: environment)
    try await server.waitForLog("listening on")
    return Market(redis, server, Address(host: "127.0.0.1", port: port))
  }

  private init(_ redis: RedisServer, _ server: Program, _ address: Address) {
    (self.redis, self.server, self.address) = (redis, server, address)
  }

  func close() {
    server.stop()
    redis.stop()
  }

  /// A worker that carries the events into a database.
  func startWorker(_ database: String) async throws -> Program {
    RedisServer.nameBooks(database)
    let worker = try Program.start(
      "stockworker", ["--redis", redis.url, "--database", database, "--name", "worker-1"])
    try await worker.waitForLog("ready")
    return worker
  }

  /// Does something with a client, and closes it.
  func with<Result>(_ body: (StockClient) async throws -> Result) async throws -> Result {
    let client = StockClient(to: address)
    do {
      let result = try await body(client)
      await client.close()
      return result
    } catch {
      await client.close()
      throw error
    }
  }

  func health() async throws -> HealthCheckReply {
    try await with { try await $0.call(HealthCheckRequest(), timeoutMs: 2_000) }
  }

  /// Waits until the server sells.
  func ready(timeout: Duration = .seconds(20)) async throws {
    try await eventually(timeout: timeout, "the server sells") {
      try await health().status != .notServing
    }
  }

  func supply(_ units: UInt64, of sku: String = "x") async throws {
    let reply = try await with {
      try await $0.call(
        SetStockRequest(sku: sku, available: units, requestID: UUID().uuidString))
    }
    #expect(reply.outcome == .stockSet)
  }

  func figures(of sku: String = "x") async throws -> Figures {
    let reply = try await with {
      try await $0.call(GetStockRequest(sku: sku), timeoutMs: 20_000)
    }
    return try #require(reply.stock?.figures)
  }

  func reserve(
    _ key: String, qty: UInt64 = 1, user: String = "u", at level: Acknowledgement? = nil,
    timeoutMs: UInt32 = 5_000
  ) async throws -> ReserveReply {
    let request = ReserveRequest(
      sku: "x", qty: qty, userID: user, idempotencyKey: key, ttlMs: 3_600_000, acknowledge: level)
    return try await with { try await $0.call(request, timeoutMs: timeoutMs) }
  }

  /// The status that a call ends with.
  func refusal<Request: RequestMessage & Sendable>(
    of request: Request, timeoutMs: UInt32 = 5_000
  ) async throws -> Status {
    try await with { client in
      let reply: Request.Reply
      do throws(Status) {
        reply = try await client.call(request, timeoutMs: timeoutMs)
      } catch {
        return error
      }
      throw HarnessError("it was answered: \(reply)")
    }
  }
}

extension ReserveRequest {
  static func of(_ key: String, at level: Acknowledgement? = nil) -> ReserveRequest {
    ReserveRequest(sku: "x", qty: 1, userID: "u", idempotencyKey: key, acknowledge: level)
  }
}

/// Books of a test's own.
struct Books {
  let postgres: PostgresServer
  let database: String

  init() throws {
    postgres = try PostgresServer.shared()
    database = try postgres.createDatabase()
  }

  /// How many of these holds have no row.
  func missing(_ holds: [String]) throws -> Int {
    var missing = 0
    // One command line holds so many.
    for start in stride(from: 0, to: holds.count, by: 1_000) {
      let part = holds[start..<min(start + 1_000, holds.count)]
      let found = try postgres.psql(
        database,
        "SELECT count(*) FROM holds WHERE hold_id IN ('\(part.joined(separator: "','"))')")
      missing += part.count - (Int(found) ?? 0)
    }
    return missing
  }
}
