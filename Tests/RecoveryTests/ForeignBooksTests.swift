import Foundation
import Harness
import RPC
import Testing
import Wire

@Suite("Books that are not those of a Redis take nothing of it", .serialized)
struct ForeignBooksTests {
  private static let alarm = "this redis is not of these books"

  /// A shop that has sold one of ten, and an empty database.
  private func shop() async throws -> (Deployment, empty: String) {
    let shop = try await Deployment.start()
    try await shop.supply(10)
    _ = try await shop.reserve("before")
    try await shop.booksCaughtUp()
    return (shop, try shop.postgres.createDatabase())
  }

  private func startWorker(
    _ shop: Deployment, _ database: String, listen: String = "none"
  ) throws -> Program {
    try Program.start(
      "stockworker",
      ["--redis", shop.redis.url, "--database", database, "--name", "astray", "--listen", listen])
  }

  private func command(
    _ shop: Deployment, _ database: String, _ flags: String...
  ) throws -> Program.Outcome {
    try Program.run(
      "stockworker", ["--redis", shop.redis.url, "--database", database] + flags)
  }

  @Test("a mistyped database: said by name everywhere, the sale goes on, and nothing is given away")
  func mistyped() async throws {
    let (shop, empty) = try await shop()
    defer { shop.stop() }
    shop.stopWorker()
    let address = "127.0.0.1:\(freePort())"
    let astray = try startWorker(shop, empty, listen: address)
    defer { astray.stop() }
    try await astray.waitForLog(Self.alarm, timeout: .seconds(60))
    try await eventually(timeout: .seconds(30), "the server's health says so") {
      let health = try await shop.health()
      return health.status == .degraded && health.warnings.contains { $0.contains("have no name") }
    }
    for key in ["a", "b", "c"] { #expect(try await shop.reserve(key).outcome == .held) }
    let health = try Program.run("stockctl", ["health", "--address", address])
    #expect(health.stdout.contains("NOT_SERVING"), "\(health)")
    #expect(health.stdout.contains("have no name"), "\(health)")
    #expect(try shop.postgres.psql(empty, "SELECT count(*) FROM stock_movements") == "0")

    try shop.restartWorker()
    try await shop.sumsAgree()
    try await shop.sells()
    #expect(try shop.sql("SELECT count(*) FROM holds") == "4")
    #expect(try shop.postgres.psql(empty, "SELECT count(*) FROM stock_movements") == "0")
    #expect(try shop.postgres.psql(empty, "SELECT count(*) FROM fence") == "0")
  }

  @Test("a Redis without a name whose events others have taken is refused as well")
  func nameless() async throws {
    let redis = try RedisServer.start(opened: false)
    defer { redis.stop() }
    let books = try PostgresServer.shared().createDatabase()
    try redis.cli("XGROUP", "CREATE", "inventory.events", "inventory.cg", "0", "MKSTREAM")
    try redis.cli("XADD", "inventory.events", "1-1", "a", "b")
    try redis.cli(
      "XREADGROUP", "GROUP", "inventory.cg", "other", "STREAMS", "inventory.events", ">")
    let astray = try Program.start(
      "stockworker", ["--redis", redis.url, "--database", books, "--listen", "none"])
    defer { astray.stop() }
    try await astray.waitForLog("has given its events up to 1-1 to others", timeout: .seconds(60))
    #expect(try redis.cli("EXISTS", "fence") == "1")
    #expect(try redis.cli("HGET", "fence", "open") == "")
  }

  @Test("a worker of another shop with the wrong REDIS_URL does not close the sale")
  func otherShop() async throws {
    let (shop, _) = try await shop()
    defer { shop.stop() }
    let other = try await Deployment.start()
    defer { other.stop() }
    let astray = try startWorker(shop, other.database)
    defer { astray.stop() }
    try await astray.waitForLog("it belongs to deployment", timeout: .seconds(60))
    let opening = try shop.redis.cli("HGET", "fence", "open")
    // The worker that is astray looks five times as often as the other one speaks.
    for key in 0..<4 {
      #expect(try await shop.reserve("k\(key)").holdID != "")
      #expect(try shop.redis.cli("HGET", "fence", "open") == opening)
      try await shop.redis.workersSpeak(1)
    }
    try await shop.sumsAgree()
  }

  @Test("no Redis is rebuilt from an empty database: it would be emptied")
  func rebuild() async throws {
    let (shop, empty) = try await shop()
    defer { shop.stop() }
    let plan = try command(shop, empty, "--rebuild")
    #expect(plan.status == 0 && plan.stdout.contains("The books have no name"), "\(plan)")
    let refused = try command(shop, empty, "--rebuild", "--accept-loss", "--others-are-off")
    #expect(refused.status == 1 && refused.stderr.contains("nothing to rebuild from"), "\(refused)")
    #expect(try await shop.stock().figures.held == 1)
    #expect(try await shop.reserve("k").outcome == .held)
  }

  @Test("books that are new on purpose take the name, once nobody else reads, and then the events")
  func onPurpose() async throws {
    let (shop, empty) = try await shop()
    defer { shop.stop() }
    let refused = try command(shop, empty, "--new-books")
    #expect(refused.status == 1 && refused.stderr.contains("worker-1"), "\(refused)")
    #expect(try shop.postgres.psql(empty, "SELECT count(*) FROM fence") == "0")
    shop.stopWorker()
    // It was killed, and counts as a reader for ten seconds more.
    try await eventually(timeout: .seconds(60), "the books are named") {
      let named = try command(shop, empty, "--new-books")
      return named.status == 0 && named.stdout.contains("is not in them")
    }
    let again = try command(shop, empty, "--new-books")
    #expect(again.status == 0 && again.stdout.contains("Nothing was changed"), "\(again)")
    let worker = try startWorker(shop, empty)
    defer { worker.stop() }
    _ = try await shop.reserve("after")
    try await shop.booksCaughtUp()
    #expect(try shop.postgres.psql(empty, "SELECT count(*) FROM holds") == "1")
    try await shop.sells()

    let other = try await Deployment.start()
    defer { other.stop() }
    let wrong = try command(shop, other.database, "--new-books")
    #expect(wrong.status == 1 && wrong.stderr.contains("are not new"), "\(wrong)")
  }
}
