import Harness
import Testing
import Wire

/// A shop that never had a replica, and gets one.
@Suite("The first replica", .serialized)
struct FirstReplicaTests {
  private func replica(of redis: RedisServer) async throws -> RedisServer {
    let replica = try RedisServer.start(
      extra: ["--replicaof", "127.0.0.1", "\(redis.port)"], opened: false)
    try await eventually("the replica follows") {
      try redis.cli("INFO", "replication").contains("state=online")
    }
    return replica
  }

  @Test("a server sees it and has the opening end by itself, also without a worker")
  func seen() async throws {
    let shop = try await Deployment.start()
    defer { shop.stop() }
    try await shop.supply(10)
    #expect(try shop.redis.cli("HEXISTS", "fence", "until") == "0")
    shop.stopWorker()
    let replica = try await replica(of: shop.redis)
    defer { replica.stop() }
    try await eventually("the opening ends by itself") {
      try shop.redis.cli("HEXISTS", "fence", "until") == "1"
    }
    // Redis gives its line of writes another name then: it is the same Redis all the same.
    let soldOn = try await shop.reserve("k")
    #expect(soldOn.outcome == .held)
    try shop.restartWorker()
    try await shop.booksCaughtUp()
    try await shop.sells()
    #expect(!shop.worker.log.contains("ALARM"))
  }

  @Test("come and gone while no server looked: nothing is sold before the books have confirmed it")
  func unseen() async throws {
    let shop = try await Deployment.start()
    defer { shop.stop() }
    try await shop.supply(10)
    try await shop.booksCaughtUp()
    #expect(try shop.servers[0].program.terminate() == 0)
    shop.stopWorker()
    let replica = try await replica(of: shop.redis)
    replica.stop()
    try await shop.startServer()
    try await eventually("it says why") {
      try await shop.health(1).warnings.contains { $0.contains("while no server looked") }
    }
    await #expect(throws: Status.self) { try await shop.reserve("k", server: 1) }
    try shop.restartWorker()
    try await eventually(timeout: .seconds(30), "it sells") {
      (try? await shop.reserve("k", server: 1))?.outcome == .held
    }
  }

  @Test("its files, started as a master elsewhere: it waits until the other has surely ended")
  func itsFiles() async throws {
    let shop = try await Deployment.start()
    defer { shop.stop() }
    try await shop.supply(10)
    try await shop.booksCaughtUp()
    shop.stopWorker()
    let replica = try await replica(of: shop.redis)
    try await eventually("the replica knows that the opening ends") {
      try replica.cli("HEXISTS", "fence", "until") == "1"
    }
    try await eventually("its file has it, too") {
      let info = try replica.cli("INFO", "persistence")
      return info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0")
        && !info.contains("aof_current_size:0")
    }
    let files = try replica.copyOfFiles()
    replica.stop()
    let copy = try RedisServer.start(opened: false)
    defer { copy.stop() }
    copy.kill()
    try copy.replaceFiles(with: files)
    try copy.restart()
    let worker = try Deployment.startWorker(copy.url, shop.database)
    defer { worker.stop() }
    try await worker.waitForLog("which this one followed")
    // Closed long before the other may be opened.
    try await shop.refuses(because: "its opening has run out")
    #expect(!worker.log.contains("redis is open to the sale"))
  }

  @Test(
    "a rebuild beside a Redis that may still sell is refused, unless a person says that it is off")
  func rebuiltBeside() async throws {
    let shop = try await Deployment.start()
    defer { shop.stop() }
    try await shop.supply(10)
    try await shop.booksCaughtUp()
    shop.stopWorker()
    let empty = try RedisServer.start(opened: false)
    defer { empty.stop() }
    let worker = try Deployment.startWorker(empty.url, shop.database)
    defer { worker.stop() }
    try await worker.waitForLog("emptied, or is another Redis")
    let rebuild = ["--redis", empty.url, "--database", shop.database, "--rebuild", "--accept-loss"]
    let refused = try Program.run("stockworker", rebuild)
    #expect(refused.status == 1 && refused.stderr.contains("--others-are-off"), "\(refused)")
    #expect(try await shop.reserve("k").outcome == .held)
    shop.redis.kill()
    let done = try Program.run("stockworker", rebuild + ["--others-are-off"])
    #expect(done.status == 0, "\(done)")
    #expect(try empty.cli("GET", "stock:x") == "10")
  }
}
