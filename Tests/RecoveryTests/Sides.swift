import Foundation
import Harness
import RPC
import Testing
import Wire

/// Two processes of Redis of one shop, a master and its replica at first, each with a worker and a server
/// that reach it alone, and one set of books.
final class Sides {
  /// What reaches one Redis.
  struct Side {
    let redis: RedisServer
    var worker: Program?
    var server: Program
    let address: Address
  }

  let postgres: PostgresServer
  let database: String
  private let leaseMs: Int
  private(set) var sides: [Side]

  /// Starts the two, sells from the first, and waits until its opening ends by itself.
  /// - Parameters:
  ///   - postgres: nil: the one that all tests share.
  ///   - leaseMs: how long an opening holds without being renewed.
  static func start(
    postgres: PostgresServer? = nil, units: UInt64, leaseMs: Int = 2_000
  ) async throws -> Sides {
    let master = try RedisServer.start(
      extra: ["--repl-diskless-sync-delay", "0"], opened: false)
    let replica = try RedisServer.start(
      extra: ["--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", "\(master.port)"],
      opened: false)
    let postgres = try postgres ?? PostgresServer.shared()
    let sides = try await Sides([master, replica], postgres, leaseMs)
    try sides.startWorker(0)
    try await eventually(timeout: .seconds(30), "the master sells") {
      try await sides.health(0).status == .serving
    }
    _ = try await sides.call(
      SetStockRequest(sku: "x", available: units, requestID: UUID().uuidString), side: 0)
    try await eventually("the master's opening ends by itself") {
      try master.cli("HEXISTS", "fence", "until") == "1"
    }
    try await sides.replicate()
    return sides
  }

  private init(
    _ servers: [RedisServer], _ postgres: PostgresServer, _ leaseMs: Int
  ) async throws {
    (self.postgres, self.leaseMs) = (postgres, leaseMs)
    database = try postgres.createDatabase()
    sides = []
    for redis in servers {
      let address = Address(host: "127.0.0.1", port: freePort())
      let server = try Program.start(
        "stockd", ["--listen", "\(address)", "--redis", redis.url])
      try await server.waitForLog("listening on")
      sides.append(Side(redis: redis, worker: nil, server: server, address: address))
    }
  }

  func stop() {
    for side in sides {
      side.server.stop()
      side.worker?.stop()
      side.redis.stop()
    }
  }

  func startWorker(_ side: Int) throws {
    sides[side].worker = try Program.start(
      "stockworker",
      [
        "--redis", sides[side].redis.url, "--database", database, "--name", "worker-\(side)",
        "--lease-ms", "\(leaseMs)", "--listen", "none",
      ])
  }

  /// Ends a server in order.
  func stopServer(_ side: Int) throws { try sides[side].server.terminate() }

  func startServer(_ side: Int) async throws {
    sides[side].server = try Program.start(
      "stockd", ["--listen", "\(sides[side].address)", "--redis", sides[side].redis.url])
    try await sides[side].server.waitForLog("listening on")
  }

  func killWorker(_ side: Int) {
    sides[side].worker?.kill()
    sides[side].worker = nil
  }

  /// Makes the replica a master, as a person or Sentinel does.
  func promote() throws { try sides[1].redis.cli("REPLICAOF", "NO", "ONE") }

  /// Waits until the replica has everything that the master has written so far.
  func replicate() async throws {
    func offset(_ side: Int) throws -> Substring? {
      try sides[side].redis.cli("INFO", "replication").split(whereSeparator: \.isNewline)
        .first { $0.hasPrefix(side == 0 ? "master_repl_offset:" : "slave_repl_offset:") }?
        .split(separator: ":").last
    }
    try await eventually("the replica has caught up") { try offset(1) == offset(0) }
  }

  /// Waits until the books know every event of a side's stream.
  func booksCaughtUp(_ side: Int) async throws {
    try await eventually(timeout: .seconds(30), "the books have what side \(side) has sold") {
      let groups = try sides[side].redis.cli("XINFO", "GROUPS", "inventory.events")
        .split(separator: "\n")
      guard let pending = groups.firstIndex(of: "pending"), let lag = groups.firstIndex(of: "lag")
      else { return false }
      return groups[pending + 1] == "0" && groups[lag + 1] == "0"
    }
  }

  func call<Request: RequestMessage & Sendable>(
    _ request: Request, side: Int, timeoutMs: UInt32 = 1_000
  ) async throws -> Request.Reply {
    let client = StockClient(to: sides[side].address)
    do {
      let reply = try await client.call(request, timeoutMs: timeoutMs)
      await client.close()
      return reply
    } catch {
      await client.close()
      throw error
    }
  }

  func reserve(_ key: String, side: Int) async throws -> ReserveReply {
    try await call(
      ReserveRequest(sku: "x", qty: 1, userID: "u", idempotencyKey: key, ttlMs: 3_600_000),
      side: side)
  }

  func health(_ side: Int) async throws -> HealthCheckReply {
    try await call(HealthCheckRequest(), side: side)
  }

  /// Waits until a server refuses, with this reason.
  func refuses(_ side: Int, because reason: String) async throws {
    try await eventually(timeout: .seconds(30), "side \(side) refuses because of '\(reason)'") {
      let health = try await health(side)
      return health.status == .notServing && health.warnings.contains { $0.contains(reason) }
    }
  }

  func sells(_ side: Int, timeout: Duration = .seconds(30)) async throws {
    try await eventually(timeout: timeout, "side \(side) sells") {
      try await health(side).status == .serving
    }
  }

  func sql(_ text: String) throws -> String { try postgres.psql(database, text) }
}

/// Buys one unit after the other from both sides, and remembers when it was told HELD.
actor Crowd {
  private let addresses: [Address]
  private var tasks: [Task<Void, Never>] = []
  /// The keys that are held, by side, each with the moment before its call and the one after its answer.
  private(set) var held:
    [[(key: String, asked: ContinuousClock.Instant, told: ContinuousClock.Instant)]] =
      [[], []]

  /// - Parameter addresses: of the server of each side.
  init(_ addresses: [Address]) { self.addresses = addresses }

  func start() {
    for (side, address) in addresses.enumerated() {
      tasks.append(
        Task {
          let client = StockClient(to: address)
          var number = 0
          while !Task.isCancelled {
            number += 1
            let key = "side \(side) buyer \(number)"
            let asked = ContinuousClock.now
            let reply = try? await client.call(
              ReserveRequest(
                sku: "x", qty: 1, userID: "u", idempotencyKey: key, ttlMs: 3_600_000),
              timeoutMs: 500)
            if reply?.outcome == .held { self.note(side, key, asked) }
          }
          await client.close()
        })
    }
  }

  func stop() async {
    for task in tasks { task.cancel() }
    for task in tasks { await task.value }
  }

  private func note(_ side: Int, _ key: String, _ asked: ContinuousClock.Instant) {
    held[side].append((key, asked, .now))
  }
}
