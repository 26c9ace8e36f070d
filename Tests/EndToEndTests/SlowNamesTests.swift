import Foundation
import Harness
import RPC
import Testing
import Wire

/// A name server that does not answer: every lookup takes half a minute (`SlowNames`).
@Suite("Slow name servers")
struct SlowNamesTests {
  /// Far less than a lookup takes, and more than a busy machine needs.
  private static let soon = Duration.seconds(15)

  private func ends(_ program: Program) throws -> Bool {
    let start = ContinuousClock.now
    try program.terminate()
    return ContinuousClock.now - start < Self.soon
  }

  @Test("the server answers, refuses what it has not begun, and ends in order")
  func server() async throws {
    let names = try SlowNames()
    let address = "127.0.0.1:\(freePort())"
    let server = try Program.start(
      "stockd", ["--listen", address, "--redis", "redis://redis.invalid:6379"],
      environment: names.environment)
    defer { server.stop() }
    try await server.waitForLog("listening on")
    try await server.waitForLog("redis.invalid could not be looked up", timeout: .seconds(15))
    let health = try Program.run(
      "stockctl", ["health", "--address", address], timeout: Self.soon)
    #expect(health.status == 7 && health.stdout.contains("redis.invalid"), "\(health)")
    let reserve = try Program.run(
      "stockctl", ["reserve", "x", "--user", "a", "--key", "k", "--address", address],
      timeout: Self.soon)
    #expect(reserve.status == 7 && reserve.stderr.contains("UNAVAILABLE"), "\(reserve)")
    #expect(!reserve.stderr.contains("outcome is unknown"), "\(reserve)")
    #expect(try ends(server))
  }

  @Test("the worker answers by its calls, and ends in order", arguments: ["redis", "postgresql"])
  func worker(_ store: String) async throws {
    let names = try SlowNames()
    let redis = try RedisServer.start(opened: false)
    defer { redis.stop() }
    let database = try PostgresServer.shared().createDatabase()
    let address = "127.0.0.1:\(freePort())"
    let worker = try Program.start(
      "stockworker",
      [
        "--listen", address, "--redis",
        store == "redis" ? "redis://redis.invalid:6379" : redis.url, "--database",
        store == "redis" ? database : "postgresql://postgres@books.invalid/x",
      ], environment: names.environment)
    defer { worker.stop() }
    try await eventually(timeout: .seconds(30), "health says which name is not found") {
      let health = try Program.run(
        "stockctl", ["health", "--address", address], timeout: Self.soon)
      return health.stdout.contains(".invalid could not be looked up")
    }
    #expect(try ends(worker))
  }

  @Test("a call ends at its deadline though its server's name is not found, and has not happened")
  func caller() async throws {
    let names = try SlowNames()
    let call = try Program.run(
      "stockctl",
      [
        "reserve", "x", "--user", "a", "--key", "k", "--address", "shop.invalid:7420",
        "--timeout-ms", "500",
      ], environment: names.environment, timeout: Self.soon)
    #expect(call.status == 7, "\(call)")
    #expect(call.stderr.contains("shop.invalid could not be looked up"), "\(call)")
    #expect(!call.stderr.contains("outcome is unknown"), "\(call)")
  }
}
