import Foundation
import Harness
import Testing
import Wire

@Suite("What comes back after a loss", .serialized)
struct RestoreTests {
  @Test(
    "the old Redis, once another was rebuilt, stays closed: back from the dead, or never gone",
    arguments: [false, true])
  func superseded(neverGone: Bool) async throws {
    let old = try await Deployment.start()
    defer { old.stop() }
    try await old.supply(10)
    _ = try await old.reserve("a")
    try await old.booksCaughtUp()
    // Nobody who rebuilds sees the old one.
    old.stopWorker()
    if !neverGone { old.redis.kill() }
    let new = try Deployment(
      redis: .start(opened: false), postgres: old.postgres, database: old.database)
    defer { new.stop() }
    let refused = try new.rebuild("--accept-loss")
    #expect(refused.status == 1 && refused.stderr.contains("may still sell"), "\(refused)")
    // A person is wrong about it.
    let rebuilt = try new.rebuild("--accept-loss", "--others-are-off")
    #expect(rebuilt.status == 0, "\(rebuilt)")
    try await new.startServer()
    try await new.sells()
    #expect(try await new.reserve("a").outcome == .repeated)

    if !neverGone { try old.redis.restart() }
    try old.restartWorker()
    let reason = "a copy from before the last rebuild"
    try await old.worker.waitForLog(reason)
    try await old.refuses(because: reason)
    let refusal = await #expect(throws: Status.self) { try await old.reserve("b") }
    #expect(refusal?.reason == "STORE_FENCED")
    // Not by another start of it either.
    old.redis.kill()
    try old.redis.restart()
    try await old.restartServer(0)
    try old.restartWorker()
    try await old.worker.waitForLog(reason)
    await #expect(throws: Status.self) { try await old.reserve("b") }

    #expect(try await new.reserve("b").outcome == .held)
    try await new.sumsAgree()
  }

  /// Who is left that has heard of the writes which the replica missed.
  enum Witness: CaseIterable {
    /// The servers that made them are gone.
    case books
    /// The books never heard of them, nor did the other server.
    case oneServer
  }

  @Test(
    "a replica promoted that missed the last writes is refused, whoever asks, until it is rebuilt",
    arguments: Witness.allCases)
  func promoted(witness: Witness) async throws {
    let primary = try RedisServer.start(
      extra: ["--repl-diskless-sync-delay", "0"], opened: false)
    let wire = try CuttingProxy(to: primary.port)
    let replica = try RedisServer.start(
      extra: ["--replicaof", "127.0.0.1", "\(wire.port)"], opened: false)
    let address = try MovingAddress(to: primary)
    let postgres = try PostgresServer.shared()
    let shop = try Deployment(
      redis: primary, postgres: postgres, database: postgres.createDatabase(),
      address: address.url)
    defer {
      shop.stop()
      replica.stop()
    }
    for _ in 0...1 { try await shop.startServer() }
    try await shop.sells()
    try await shop.supply(10)
    for server in 0...1 { _ = try await shop.reserve("before \(server)", server: server) }
    try await shop.booksCaughtUp()
    try await eventually("the replica has it all") { try replica.cli("GET", "stock:x") == "8" }

    wire.stop()
    try primary.cli("CLIENT", "KILL", "TYPE", "replica")
    if witness == .oneServer { shop.stopWorker() }
    let missed = try await shop.reserve("missed", server: 0)
    switch witness {
    case .books:
      try await shop.booksCaughtUp()
      shop.stopWorker()
      for server in shop.servers { server.program.kill() }
    case .oneServer: break
    }
    primary.kill()
    try replica.cli("REPLICAOF", "NO", "ONE")
    try address.move(to: replica)
    if witness == .books { for server in 0...1 { try await shop.restartServer(server) } }
    try shop.restartWorker()
    try await shop.worker.waitForLog(
      witness == .books ? "its last writes are lost" : "was answered up to")
    try await shop.refuses(because: witness == .books ? "not opened" : "was answered up to")
    for server in 0...1 {
      let refusal = await #expect(throws: Status.self) {
        try await shop.reserve("during", server: server)
      }
      #expect(refusal?.reason == "STORE_FENCED")
    }

    let rebuilt = try shop.rebuild("--accept-loss")
    #expect(rebuilt.status == 0, "\(rebuilt)")
    try await shop.sells()
    let again = try await shop.reserve("missed", server: 1)
    #expect(again.outcome == (witness == .books ? .repeated : .held))
    #expect(witness == .oneServer || again.holdID == missed.holdID)
    #expect(try await shop.reserve("after").outcome == .held)
    #expect(try await shop.stock().figures.held == 4)
  }

  @Test("backup, and restore after everything is lost: as the page on recovery says")
  func drill() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let dump = folder.appending(path: "books.dump").path
    let postgres = try PostgresServer.shared()
    let lost = try await Deployment.start()
    try await lost.supply(10)
    let early = try await lost.reserve("early")
    let oldFiles = try lost.redis.copyOfFiles()
    let saved = try await lost.reserve("saved")
    _ = try await lost.call(ConfirmRequest(holdID: saved.holdID, paymentRef: "pay"))
    try await lost.booksCaughtUp()
    try run("pg_dump", "--format=custom", "--file=\(dump)", lost.database)
    // More is sold, and then there is nothing but the backup.
    let unsaved = try await lost.reserve("unsaved")
    lost.stop()

    let database = try postgres.createDatabase()
    try run("pg_restore", "--exit-on-error", "--dbname=\(database)", dump)
    let redis = try RedisServer.start(opened: false)
    redis.kill()
    try redis.replaceFiles(with: oldFiles)
    try redis.restart()
    let shop = try Deployment(redis: redis, postgres: postgres, database: database)
    defer { shop.stop() }
    try await shop.startServer()
    try await shop.worker.waitForLog("its last writes are lost")
    try await shop.refuses(because: "not opened")

    let keys = try redis.cli("DBSIZE")
    let plan = try shop.rebuild()
    #expect(plan.status == 0 && plan.stdout.contains("Nothing was changed"), "\(plan)")
    #expect(plan.stdout.contains("active holds: 1"), "\(plan)")
    #expect(try redis.cli("DBSIZE") == keys)
    await #expect(throws: Status.self) { try await shop.reserve("too soon") }
    let done = try shop.rebuild("--accept-loss")
    #expect(done.status == 0, "\(done)")

    try await shop.sells()
    #expect(try await shop.reserve("early").holdID == early.holdID)
    let confirmed = try await shop.call(ConfirmRequest(holdID: saved.holdID, paymentRef: "pay"))
    #expect(confirmed.outcome == .repeated && confirmed.hold?.status == .confirmed)
    let unknown = try await shop.call(ConfirmRequest(holdID: unsaved.holdID, paymentRef: "pay"))
    #expect(unknown.outcome == .noSuchHold, "lost, as the dry run said it may be")
    #expect(try await shop.stock().figures.available == 8)
    #expect(try await shop.reserve("new").outcome == .held)
    try await shop.sumsAgree()
    let again = try shop.rebuild()
    #expect(again.stdout.contains("SKUs                  1          1          0          0"))
    #expect(again.stdout.contains("holds                 3          3          0          0"))
  }

  private func run(_ program: String, _ arguments: String...) throws {
    let outcome = try Program.run(program, arguments)
    #expect(outcome.status == 0, "\(program): \(outcome)")
  }
}
