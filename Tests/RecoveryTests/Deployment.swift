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
  /// Where its processes look for Redis.
  private let redisURL: String
  private(set) var worker: Program
  private(set) var servers: [(program: Program, address: Address)] = []

  /// - Parameter postgres: nil: the one that all tests share.
  static func start(servers: Int = 1, postgres: PostgresServer? = nil) async throws -> Deployment {
    let postgres = try postgres ?? PostgresServer.shared()
    let deployment = try Deployment(
      redis: RedisServer.start(opened: false), postgres: postgres,
      database: postgres.createDatabase())
    for _ in 0..<servers { try await deployment.startServer() }
    try await deployment.sells()
    return deployment
  }

  /// Starts a worker, and no server yet.
  /// - Parameter address: where the processes look for Redis; nil: at its own URL.
  init(
    redis: RedisServer, postgres: PostgresServer, database: String, address: String? = nil
  ) throws {
    (self.redis, self.postgres, self.database) = (redis, postgres, database)
    redisURL = address ?? redis.url
    worker = try Self.startWorker(redisURL, database)
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
    worker = try Self.startWorker(redisURL, database)
  }

  func stopWorker() { worker.stop() }

  func startServer() async throws {
    let address = Address(host: "127.0.0.1", port: freePort())
    servers.append((try await launchServer(address), address))
  }

  /// Starts a server that was ended again, at its address.
  func restartServer(_ place: Int) async throws {
    servers[place].program.stop()
    servers[place].program = try await launchServer(servers[place].address)
  }

  private func launchServer(_ address: Address) async throws -> Program {
    let server = try Program.start(
      "stockd", ["--listen", "\(address)", "--redis", redisURL])
    try await server.waitForLog("listening on")
    return server
  }

  /// Runs the rebuild of the worker to its end.
  func rebuild(_ more: String...) throws -> Program.Outcome {
    try Program.run(
      "stockworker", ["--redis", redisURL, "--database", database, "--rebuild"] + more,
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

  /// Waits for the books, and compares the figures of the store with the sums of the movements and the
  /// units of the holds.
  func sumsAgree() async throws {
    try await booksCaughtUp()
    let figures = try await stock().figures
    #expect(figures.balance)
    let movements = try sql(
      """
      SELECT sum(available_delta), sum(held_delta), sum(sold_delta), sum(supplied_delta)
      FROM stock_movements WHERE sku = 'x'
      """)
    #expect(
      movements
        == "\(figures.available)|\(figures.held)|\(figures.sold)|\(figures.supplied)")
    let holds = try sql(
      """
      SELECT coalesce(sum(qty) FILTER (WHERE status = 'ACTIVE'), 0),
        coalesce(sum(qty) FILTER (WHERE status = 'CONFIRMED'), 0) FROM holds
      """)
    #expect(holds == "\(figures.held)|\(figures.sold)")
  }

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
