import Foundation
import Harness
import Testing
import Wire

@Suite("A Redis that forgets does not sell", .serialized)
struct FenceTests {
  @Test("a new Redis is opened by the worker alone, and the books take a name")
  func opening() async throws {
    let redis = try RedisServer.start(opened: false)
    let postgres = try PostgresServer.shared()
    let database = try postgres.createDatabase()
    let port = freePort()
    let server = try Program.start(
      "stockd", ["--listen", "127.0.0.1:\(port)", "--redis", redis.url])
    defer {
      server.stop()
      redis.stop()
    }
    try await server.waitForLog("not opened by a worker yet")
    let worker = try Deployment.startWorker(redis.url, database)
    defer { worker.stop() }
    try await worker.waitForLog("redis is open to the sale")
    try await server.waitForLog("redis link open")
    let epoch = try redis.cli("HGET", "fence", "epoch")
    #expect(try postgres.psql(database, "SELECT deployment || '.' || epoch FROM fence") == epoch)
  }

  @Test("emptied by FLUSHALL: not one reserve, the alarm says why, and a rebuild brings all back")
  func emptied() async throws {
    let shop = try await Deployment.start(servers: 2)
    defer { shop.stop() }
    try await shop.supply(10)
    var holds: [String] = []
    for key in ["a", "b", "c"] {
      holds.append(try await shop.reserve(key).holdID)
    }
    _ = try await shop.call(ConfirmRequest(holdID: holds[0], paymentRef: "pay"))
    _ = try await shop.call(CancelRequest(holdID: holds[1]))
    try await shop.booksCaughtUp()
    let before = try await shop.stock()

    try shop.redis.cli("FLUSHALL")
    try shop.redis.cli("SET", "stock:x", "10")
    for server in 0...1 {
      let refusal = await #expect(throws: Status.self) {
        try await shop.reserve("d", server: server)
      }
      #expect(refusal?.reason == "STORE_FENCED")
    }
    try await shop.worker.waitForLog("emptied, or is another Redis")
    try await shop.refuses(because: "not opened")
    #expect(try shop.sql("SELECT count(*) FROM holds") == "3")

    let plan = try shop.rebuild()
    #expect(plan.status == 0 && plan.stdout.contains("Nothing was changed"))
    #expect(plan.stdout.contains("active holds: 1"))
    #expect(try shop.redis.cli("EXISTS", "sku:x") == "0")
    let done = try shop.rebuild("--accept-loss")
    #expect(done.status == 0, "\(done.stdout)\(done.stderr)")
    try await shop.sells()

    #expect(try await shop.stock() == before)
    let repeated = try await shop.reserve("c")
    #expect(repeated.outcome == .repeated && repeated.holdID == holds[2])
    let confirmed = try await shop.call(ConfirmRequest(holdID: holds[0], paymentRef: "pay"))
    #expect(confirmed.outcome == .repeated && confirmed.hold?.status == .confirmed)
    let cancelled = try await shop.call(CancelRequest(holdID: holds[1]))
    #expect(cancelled.outcome == .repeated)
    #expect(try await shop.reserve("d", server: 1).outcome == .held)
    try await shop.booksCaughtUp()
    #expect(try shop.sql("SELECT count(*) FROM holds WHERE status = 'ACTIVE'") == "2")
    let again = try shop.rebuild()
    #expect(again.stdout.contains("holds                 4          4          0          0"))
  }

  @Test("an older copy of itself is refused: the books know more")
  func olderCopy() async throws {
    let shop = try await Deployment.start()
    defer { shop.stop() }
    try await shop.supply(10)
    _ = try await shop.reserve("a")
    try await shop.booksCaughtUp()
    let copy = try shop.redis.copyOfFiles()
    _ = try await shop.reserve("b")
    try await shop.booksCaughtUp()
    shop.redis.kill()
    try shop.redis.replaceFiles(with: copy)
    // The server knows that it was answered more, but this server is gone.
    shop.servers[0].program.kill()
    try shop.redis.restart()
    try await shop.startServer()
    try await shop.worker.waitForLog("its last writes are lost")
    #expect(try shop.rebuild("--accept-loss").status == 0)
    try await eventually(timeout: .seconds(30), "it sells") {
      try await shop.health(1).status == .serving
    }
    let repeated = try await shop.call(
      ReserveRequest(sku: "x", qty: 1, userID: "u", idempotencyKey: "b"), server: 1)
    #expect(repeated.outcome == .repeated)
  }

  @Test("a lost tail that one writer knows of and the other does not: nobody sells")
  func oneWriterKnows() async throws {
    let shop = try await Deployment.start(servers: 2)
    defer { shop.stop() }
    try await shop.supply(10)
    _ = try await shop.reserve("a", server: 1)
    try await shop.booksCaughtUp()
    let copy = try shop.redis.copyOfFiles()
    // The books never hear of what follows.
    shop.stopWorker()
    _ = try await shop.reserve("b", server: 0)
    shop.redis.kill()
    try shop.redis.replaceFiles(with: copy)
    try shop.redis.restart()
    try shop.restartWorker()
    try await shop.refuses(because: "was answered up to")
    await #expect(throws: Status.self) { try await shop.reserve("c", server: 1) }
    try await shop.worker.waitForLog("was answered up to")

    #expect(try shop.rebuild("--accept-loss").status == 0)
    try await shop.sells()
    #expect(try await shop.stock().figures.available == 9)
    #expect(try await shop.reserve("c", server: 1).outcome == .held)
  }

  @Test("an empty one in its place, and another deployment's: refused, and its events stay out")
  func swapped() async throws {
    let shop = try await Deployment.start()
    defer { shop.stop() }
    let other = try await Deployment.start()
    defer { other.stop() }
    try await shop.supply(5)
    try await other.supply(7)
    try await shop.booksCaughtUp()
    other.stopWorker()
    _ = try await other.reserve("foreign")
    let copy = try other.redis.copyOfFiles()
    shop.redis.kill()
    try shop.redis.replaceFiles(with: copy)
    try shop.redis.restart()
    try await shop.worker.waitForLog("it belongs to deployment")
    try await shop.refuses(because: "not opened")
    let refused = try shop.rebuild("--accept-loss")
    #expect(refused.status != 0 && refused.stderr.contains("empty it yourself"))
    #expect(try shop.sql("SELECT count(*) FROM holds") == "0")

    shop.redis.kill()
    try shop.redis.replaceFiles(with: nil)
    try shop.redis.restart()
    try await shop.worker.waitForLog("emptied, or is another Redis")
    try await shop.refuses(because: "not opened")
    #expect(try shop.rebuild("--accept-loss", "--others-are-off").status == 0)
    try await shop.sells()
    #expect(try await shop.stock().figures.available == 5)
  }

  @Test("a rebuild knows orders by their request ids, what is retired, and the list of SKUs")
  func ordersRebuilt() async throws {
    let shop = try await Deployment.start()
    defer { shop.stop() }
    let set = SetStockRequest(sku: "x", available: 10, requestID: "set", ifAvailable: 0)
    let adjust = AdjustStockRequest(sku: "x", delta: -3, requestID: "adjust")
    let retire = RetireStockRequest(sku: "gone", requestID: "retire", reason: "end of line")
    #expect(try await shop.call(set).outcome == .stockSet)
    #expect(try await shop.call(adjust).outcome == .stockAdjusted)
    for sku in ["gone", "back"] {
      _ = try await shop.call(SetStockRequest(sku: sku, available: 1, requestID: "1 \(sku)"))
    }
    #expect(try await shop.call(retire).outcome == .stockRetired)
    _ = try await shop.call(RetireStockRequest(sku: "back", requestID: "retire back"))
    _ = try await shop.call(SetStockRequest(sku: "back", available: 2, requestID: "2 back"))
    let list = try await shop.call(ListStockRequest())
    #expect(list.stock.map(\.stock.sku) == ["back", "gone", "x"])
    #expect(list.stock.map(\.stock.figures.isRetired) == [false, true, false])
    try await shop.booksCaughtUp()
    let plan = try shop.rebuild()
    #expect(plan.stdout.contains("SKUs"), "\(plan)")

    shop.redis.kill()
    try shop.redis.replaceFiles(with: nil)
    try shop.redis.restart()
    #expect(try shop.rebuild("--accept-loss", "--others-are-off").status == 0)
    try await shop.sells()
    #expect(try await shop.call(ListStockRequest()) == list)
    #expect(try await shop.call(set).outcome == .repeated)
    #expect(try await shop.call(adjust).outcome == .repeated)
    #expect(try await shop.call(retire).outcome == .repeated)
    let other = AdjustStockRequest(sku: "x", delta: 3, requestID: "adjust")
    await #expect(throws: Status.self) { try await shop.call(other) }
    #expect(try await shop.stock().figures.available == 7)
    let reserve = ReserveRequest(sku: "gone", qty: 1, userID: "u", idempotencyKey: "k")
    #expect(try await shop.call(reserve).outcome == .notForSale)
  }

  @Test("Redis restarted while PostgreSQL is away: it waits; a broken link alone does not")
  func booksAway() async throws {
    let postgres = try PostgresServer.start()
    defer { postgres.stop() }
    let shop = try await Deployment.start(postgres: postgres)
    defer { shop.stop() }
    try await shop.supply(10)
    _ = try await shop.reserve("a")
    postgres.kill()
    try shop.redis.cli("CLIENT", "KILL", "TYPE", "normal")
    try await eventually("the same Redis goes on") {
      (try? await shop.reserve("b"))?.outcome == .held
    }
    shop.redis.kill()
    try shop.redis.restart()
    try await shop.refuses(because: "not opened by a worker yet")
    try postgres.restart()
    try await shop.sells()
    #expect(try await shop.stock().figures.held == 2)
  }

  @Test("Redis killed and restarted: it is opened by itself, without a word from anybody")
  func restarted() async throws {
    let shop = try await Deployment.start(servers: 2)
    defer { shop.stop() }
    try await shop.supply(10)
    for round in 0..<3 {
      _ = try await shop.reserve("k\(round)", server: round % 2)
      shop.redis.kill()
      try shop.redis.restart()
      try await shop.sells()
    }
    #expect(try await shop.stock().figures.held == 3)
  }

  @Test("a server that stopped is not waited for; one that vanished is, for ten seconds")
  func goneWriters() async throws {
    let shop = try await Deployment.start(servers: 2)
    defer { shop.stop() }
    try await shop.supply(10)
    _ = try await shop.reserve("a", server: 1)
    #expect(try shop.servers[1].program.terminate() == 0)
    func writers() throws -> Int {
      try shop.redis.cli("HKEYS", "fence").split(separator: "\n").count { $0.hasPrefix("seen:") }
    }
    #expect(try writers() == 1)
    try await shop.startServer()
    try await eventually("the new server has been seen") { try writers() == 2 }
    shop.servers[2].program.kill()
    shop.redis.kill()
    try shop.redis.restart()
    try await shop.worker.waitForLog("waiting for writer")
    try await eventually(timeout: .seconds(30), "it sells") {
      try await shop.health(0).status == .serving
    }
  }

  @Test("a server that died long before costs a restart of Redis nothing")
  func longGone() async throws {
    let shop = try await Deployment.start(servers: 2)
    defer { shop.stop() }
    // As if it had been an hour ago.
    shop.servers[1].program.kill()
    let votes = try shop.redis.cli("HGETALL", "fence").split(separator: "\n")
    let places = votes.indices.filter { votes[$0].hasPrefix("seen:") }
    let live = try shop.redis.cli("HGET", "fence", "voted")
    let run = live.split(separator: " ")[0]
    let old = try #require(UInt64(live.split(separator: " ")[1])) - 3_600_000
    for place in places {
      try shop.redis.cli("HSET", "fence", String(votes[place]), "\(run) \(old)")
    }
    var dead: Substring?
    try await eventually("the one that lives has voted again") {
      let fence = try shop.redis.cli("HGETALL", "fence").split(separator: "\n")
      let silent = places.filter { fence.contains(votes[$0]) }.compactMap { place in
        fence.firstIndex(of: votes[place]).flatMap { at in
          fence[at + 1].hasSuffix("\(old)") ? votes[place].dropFirst("seen:".count) : nil
        }
      }
      dead = silent.first
      return silent.count == 1
    }
    shop.redis.kill()
    try shop.redis.restart()
    try await eventually(timeout: .seconds(30), "it sells") {
      try await shop.health(0).status == .serving
    }
    #expect(!shop.worker.log.contains("waiting for writer \(try #require(dead))"))
  }

  @Test("a rebuild that is cut off opens nothing, and is run again")
  func cutOff() async throws {
    let shop = try await Deployment.start()
    defer { shop.stop() }
    try await shop.supply(10)
    _ = try await shop.reserve("a")
    try await shop.booksCaughtUp()
    try shop.redis.cli("FLUSHALL")
    // As far as a rebuild comes that dies before it has written anything.
    _ = try shop.sql("UPDATE fence SET epoch = epoch + 1, rebuilding = true")
    try await shop.worker.waitForLog("its rebuild was begun and has not ended")
    try await shop.refuses(because: "not opened")
    #expect(try shop.rebuild("--accept-loss").status == 0)
    try await shop.sells()
    #expect(try await shop.stock().figures.held == 1)
  }

  @Test("files from long ago: who was there last is waited for, and objects")
  func oldFiles() async throws {
    let shop = try await Deployment.start(servers: 2)
    defer { shop.stop() }
    try await shop.supply(10)
    _ = try await shop.reserve("a", server: 1)
    try await shop.booksCaughtUp()
    let copy = try shop.redis.copyOfFiles()
    shop.stopWorker()
    _ = try await shop.reserve("b", server: 0)
    shop.servers[0].program.pause()
    shop.redis.kill()
    try shop.redis.replaceFiles(with: copy)
    try shop.redis.restart()
    // As if the copy were a day old.
    let votes = try shop.redis.cli("HGETALL", "fence").split(separator: "\n")
    for (name, vote) in zip(votes, votes.dropFirst())
    where name.hasPrefix("seen:") || name == "voted" {
      let run = vote.split(separator: " ")[0]
      let dayAgo = UInt64(Date().timeIntervalSince1970 * 1_000) - 86_400_000
      try shop.redis.cli("HSET", "fence", String(name), "\(run) \(dayAgo)")
    }
    try shop.restartWorker()
    try await shop.worker.waitForLog("waiting for writer")
    await #expect(throws: Status.self) { try await shop.reserve("c", server: 1) }
    shop.servers[0].program.resume()
    try await shop.refuses(because: "was answered up to")
  }
}
