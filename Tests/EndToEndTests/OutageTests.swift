import Foundation
import Glibc
import Harness
import RPC
import Testing
import Wire

/// What the log says of a store that is away: when it begins, and when it is over.
@Suite("Outages in the log")
struct OutageTests {
  private func count(_ text: String, in log: String) -> Int {
    log.components(separatedBy: text).count - 1
  }

  @Test("PostgreSQL refuses every login: nothing works again before it does")
  func logins() async throws {
    let redis = try RedisServer.start(opened: false)
    let postgres = try PostgresServer.start()
    let database = try postgres.createDatabase()
    try postgres.psql(database, "CREATE ROLE clerk LOGIN SUPERUSER")
    let worker = try Office.startWorker(
      redis, database.replacing("postgres@", with: "clerk@"),
      Address(host: "127.0.0.1", port: freePort()), name: "one")
    defer {
      worker.stop()
      redis.stop()
      postgres.stop()
    }
    try await worker.waitForLog("redis is open to the sale", timeout: .seconds(30))
    try postgres.psql(
      database,
      """
      ALTER ROLE clerk NOLOGIN;
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'clerk'
      """)
    // More than enough for the opener to have looked at Redis between two attempts.
    try await eventually(timeout: .seconds(60), "it has tried often") {
      count("is not permitted to log in", in: postgres.log) >= 40
    }
    #expect(count("compared with the books again", in: worker.log) == 0, "\(worker.log)")
    #expect(count("applied again", in: worker.log) == 0, "\(worker.log)")
    #expect(count("redis cannot be compared", in: worker.log) <= 2, "\(worker.log)")
    try postgres.psql(database, "ALTER ROLE clerk LOGIN")
    try await worker.waitForLog("redis is compared with the books again", timeout: .seconds(30))
    #expect(count("compared with the books again", in: worker.log) == 1, "\(worker.log)")
  }

  @Test("a Redis that hangs up on everybody is lost once for each reason, not for each attempt")
  func link() async throws {
    let redis = try LoopbackListener()
    // Closed unread or read, it is one reason or another.
    redis.serve { close($0) }
    let url = "redis://127.0.0.1:\(redis.port)"
    let server = try Program.start(
      "stockd", ["--listen", "127.0.0.1:\(freePort())", "--redis", url, "--shards", "1"])
    defer {
      server.stop()
      redis.stop()
    }
    try await eventually(timeout: .seconds(60), "it has tried often") { redis.accepted >= 12 }
    let lines = server.log.split(separator: "\n").filter { $0.contains("trying again") }
    let reasons = Set(lines.map { $0.drop { $0 != " " } })
    #expect(!lines.isEmpty && lines.count == reasons.count && lines.count <= 5, "\(server.log)")
  }

  @Test("a worker that hangs is missed, said once, and heard again when it goes on")
  func hungWorker() async throws {
    let office = try await Office.open(redis: try RedisServer.start(opened: false))
    let shop = try await Shop.open(
      redis: office.redis, arguments: ["--shards", "1", "--worker-silent-ms", "3000"])
    defer {
      office.worker.resume()
      shop.close()
      office.close()
    }
    try await shop.ready()
    let client = shop.client()
    office.worker.pause()
    try await eventually(timeout: .seconds(30), "it is missed") {
      let said = try await client.call(HealthCheckRequest())
      return said.status == .degraded
        && said.warnings.contains { $0.contains("no worker has been heard for") }
    }
    try await shop.server.waitForLog("DEGRADED: no worker has been heard")
    office.worker.resume()
    try await shop.server.waitForLog("a worker is heard again")
    try await eventually(timeout: .seconds(30), "it is heard again") {
      try await client.call(HealthCheckRequest()).status == .serving
    }
    await client.close()
    #expect(count("DEGRADED: no worker has been heard", in: shop.server.log) == 1)
    #expect(count("a worker is heard again", in: shop.server.log) == 1)
  }
}
