import Foundation
import Harness
import RPC
import Testing
import Wire

/// A Redis that nobody but a worker opens, books, a worker, and any number of servers.
final class Deployment {
  let redis: RedisServer
  let postgres: PostgresServer
  let database: String
  private(set) var worker: Program
  private(set) var servers: [(program: Program, address: Address)] = []

  /// - Parameter postgres: nil: the one that all tests share.
  static func start(servers: Int = 1, postgres: PostgresServer? = nil) async throws -> Deployment {
    let postgres = try postgres ?? PostgresServer.shared()
    let redis = try RedisServer.start(opened: false)
    let database = try postgres.createDatabase()
    let deployment = Deployment(
      redis, postgres, database, try startWorker(redis.url, database))
    for _ in 0..<servers { try await deployment.startServer() }
    try await deployment.sells()
    return deployment
  }

  private init(
    _ redis: RedisServer, _ postgres: PostgresServer, _ database: String, _ worker: Program
  ) {
    (self.redis, self.postgres, self.database, self.worker) = (redis, postgres, database, worker)
  }

  func stop() {
    for server in servers { server.program.stop() }
    worker.stop()
    redis.stop()
  }

  // MARK: processes

  static func startWorker(_ redis: String, _ database: String) throws -> Program {
    try Program.start(
      "stockworker", ["--redis", redis, "--database", database, "--name", "worker-1"])
  }

  func restartWorker() throws {
    worker.stop()
    worker = try Self.startWorker(redis.url, database)
  }

  func stopWorker() { worker.stop() }

  func startServer(redis url: String? = nil) async throws {
    let port = freePort()
    let server = try Program.start(
      "stockd", ["--listen", "127.0.0.1:\(port)", "--redis", url ?? redis.url])
    try await server.waitForLog("listening on")
    servers.append((server, Address(host: "127.0.0.1", port: port)))
  }

  /// Runs the rebuild of the worker to its end.
  func rebuild(_ more: String...) throws -> Program.Outcome {
    try Program.run(
      "stockworker", ["--redis", redis.url, "--database", database, "--rebuild"] + more,
      timeout: .seconds(180))
  }

  // MARK: calls

  /// Makes a call to one of the servers, with a client of its own.
  func call<Request: RequestMessage & Sendable>(
    _ request: Request, server: Int = 0, timeoutMs: UInt32 = 2_000
  ) async throws -> Request.Reply {
    let client = StockClient(to: servers[server].address)
    do {
      let reply = try await client.call(request, timeoutMs: timeoutMs)
      await client.close()
      return reply
    } catch {
      await client.close()
      throw error
    }
  }

  func health(_ server: Int = 0) async throws -> HealthCheckReply {
    try await call(HealthCheckRequest(), server: server)
  }

  /// Waits until every server sells.
  func sells() async throws {
    for place in servers.indices {
      try await eventually(timeout: .seconds(60), "server \(place) sells") {
        try await health(place).status == .serving
      }
    }
  }

  /// Waits until no server sells, and the reason is this.
  func refuses(because reason: String) async throws {
    for place in servers.indices {
      try await eventually(timeout: .seconds(30), "server \(place) refuses because of '\(reason)'")
      {
        let health = try await health(place)
        return health.status == .notServing && health.warnings.contains { $0.contains(reason) }
      }
    }
  }

  func reserve(_ key: String, server: Int = 0) async throws -> ReserveReply {
    try await call(
      ReserveRequest(sku: "x", qty: 1, userID: "u", idempotencyKey: key, ttlMs: 3_600_000),
      server: server)
  }

  func supply(_ units: UInt64) async throws {
    let reply = try await call(
      SetStockRequest(sku: "x", available: units, requestID: UUID().uuidString))
    #expect(reply.outcome == .stockSet)
  }

  func stock() async throws -> StockLevel {
    try #require(try await call(GetStockRequest(sku: "x")).stock)
  }

  // MARK: books

  func sql(_ text: String) throws -> String { try postgres.psql(database, text) }

  /// Waits until the books know every event of the stream.
  func booksCaughtUp() async throws {
    try await eventually(timeout: .seconds(30), "the books have caught up") {
      let groups = try redis.cli("XINFO", "GROUPS", "inventory.events").split(separator: "\n")
      guard let pending = groups.firstIndex(of: "pending"), let lag = groups.firstIndex(of: "lag")
      else { return false }
      return groups[pending + 1] == "0" && groups[lag + 1] == "0"
    }
  }
}
