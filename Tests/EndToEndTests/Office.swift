import Foundation
import Harness
import RPC
import Testing
import Wire

/// A Redis, a database and a worker of a test's own, and clients to the worker.
final class Office: Sendable {
  let redis: RedisServer
  let postgres: PostgresServer
  let database: String
  let worker: Program
  let address: Address

  /// - Parameter ownPostgres: a PostgreSQL that the test may stop.
  /// - Parameter redis: of a shop; nil: one of its own.
  static func open(redis: RedisServer? = nil, ownPostgres: Bool = false, arguments: [String] = [])
    async throws -> Office
  {
    let redis = try redis ?? RedisServer.start()
    let postgres = try ownPostgres ? PostgresServer.start() : PostgresServer.shared()
    let database = try postgres.createDatabase()
    let address = Address(host: "127.0.0.1", port: freePort())
    let worker = try startWorker(redis, database, address, name: "one", arguments)
    let office = Office(redis, postgres, database, worker, address)
    try await worker.waitForLog("ready")
    return office
  }

  static func startWorker(
    _ redis: RedisServer, _ database: String, _ address: Address, name: String,
    _ arguments: [String] = []
  ) throws -> Program {
    // A Redis without a name is opened by its first worker.
    if try redis.cli("EXISTS", "fence") == "1" { RedisServer.nameBooks(database) }
    return try Program.start(
      "stockworker",
      [
        "--redis", redis.url, "--database", database, "--name", name, "--listen", "\(address)",
        "--retention-ms", "7776000000",
      ] + arguments)
  }

  private init(
    _ redis: RedisServer, _ postgres: PostgresServer, _ database: String, _ worker: Program,
    _ address: Address
  ) {
    (self.redis, self.postgres, self.database) = (redis, postgres, database)
    (self.worker, self.address) = (worker, address)
  }

  /// - Parameter ownPostgres: as it was opened.
  func close(ownPostgres: Bool = false) {
    worker.stop()
    redis.stop()
    if ownPostgres { postgres.stop() }
  }

  func client() -> StockClient { StockClient(to: address) }

  func ctl(_ arguments: String...) throws -> Program.Outcome {
    try Program.run("stockctl", arguments + ["--address", "\(address)"])
  }

  func sql(_ text: String) throws -> String { try postgres.psql(database, text) }
}
