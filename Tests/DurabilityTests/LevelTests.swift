import Foundation
import Harness
import Inventory
import RPC
import Testing
import Wire

/// What a caller is promised at each level, looked for in the stores when the answer comes.
@Suite("Acknowledgement levels")
struct LevelTests {
  /// A Redis whose replicas need not wait before they follow.
  private func master() throws -> RedisServer {
    try RedisServer.start(extra: ["--repl-diskless-sync-delay", "0"])
  }

  private func replica(of redis: RedisServer) async throws -> RedisServer {
    let replica = try RedisServer.start(extra: ["--replicaof", "127.0.0.1", "\(redis.port)"])
    try await eventually("the replica follows") {
      try redis.cli("INFO", "replication").contains("state=online")
    }
    return replica
  }

  private func hold(_ id: String, in redis: RedisServer) throws -> Bool {
    let key = id.split(separator: "-").dropLast().joined(separator: "-")
    return try redis.cli("EXISTS", "hold:\(key)") == "1"
  }

  /// Until the server has seen that a replica or a worker is there.
  private func ready(_ market: Market, for level: Acknowledgement) async throws {
    let request = ReserveRequest(
      sku: "never-set", qty: 1, userID: "u", idempotencyKey: "ready", acknowledge: level)
    try await eventually("\(level.name) can be promised") {
      try await market.with { try await $0.call(request) }.outcome == .unknownSKU
    }
  }

  @Test("each level is true when the answer comes, and the answer says so")
  func kept() async throws {
    let market = try await Market.open(try master())
    let replica = try await replica(of: market.redis)
    let postgres = try PostgresServer.shared()
    let database = try postgres.createDatabase()
    let worker = try await market.startWorker(database)
    defer {
      worker.stop()
      replica.stop()
      market.close()
    }
    try await market.supply(100)
    try await ready(market, for: .replica)
    try await ready(market, for: .ledger)

    #expect(try await market.reserve("none").acknowledged == nil)
    #expect(try await market.reserve("m", at: .memory).acknowledged == .fsync, "here it is more")
    #expect(try await market.reserve("f", at: .fsync).acknowledged == .fsync)
    for round in 0..<10 {
      let copied = try await market.reserve("r\(round)", at: .replica)
      #expect(copied.acknowledged == .replica)
      #expect(try hold(copied.holdID, in: replica))
      let booked = try await market.reserve("l\(round)", at: .ledger)
      #expect(booked.outcome == .held && booked.acknowledged == .ledger)
      let status = "SELECT status FROM holds WHERE hold_id = '\(booked.holdID)'"
      #expect(try postgres.psql(database, status) == "ACTIVE")
      if round % 2 == 0 {
        let reply = try await market.with {
          try await $0.call(
            ConfirmRequest(holdID: booked.holdID, paymentRef: "p", acknowledge: .ledger))
        }
        #expect(reply.outcome == .confirmed && reply.acknowledged == .ledger)
        let order = "SELECT payment_ref FROM orders WHERE hold_id = '\(booked.holdID)'"
        #expect(try postgres.psql(database, order) == "p")
      } else {
        let reply = try await market.with {
          try await $0.call(CancelRequest(holdID: booked.holdID, acknowledge: .ledger))
        }
        #expect(reply.outcome == .cancelled && reply.acknowledged == .ledger)
        #expect(try postgres.psql(database, status) == "CANCELLED")
      }
    }
  }

  @Test("many at once, in batches too: none is told more than is true")
  func crowd() async throws {
    let market = try await Market.open(try master())
    let replica = try await replica(of: market.redis)
    let postgres = try PostgresServer.shared()
    let database = try postgres.createDatabase()
    let worker = try await market.startWorker(database)
    defer {
      worker.stop()
      replica.stop()
      market.close()
    }
    try await market.supply(10_000)
    try await ready(market, for: .replica)
    try await ready(market, for: .ledger)
    let client = StockClient(to: market.address)
    let batch = try await client.call(
      BatchReserveRequest(
        items: (0..<600).map { ReserveRequest.of("b\($0)") }, acknowledge: .ledger),
      timeoutMs: 20_000)
    #expect(try postgres.psql(database, "SELECT count(*) FROM holds") == "600")
    for result in batch.results { #expect(try result.get().acknowledged == .ledger) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for lane in 0..<40 {
        group.addTask {
          for round in 0..<5 {
            let level = Acknowledgement.allCases[(lane + round) % 4]
            let reply = try await client.call(
              ReserveRequest.of("c\(lane)-\(round)", at: level), timeoutMs: 20_000)
            #expect(reply.outcome == .held)
            #expect(reply.acknowledged == max(level, .fsync))
          }
        }
      }
      try await group.waitForAll()
    }
    await client.close()
  }

  @Test("a replica that does not answer: held, less durable than asked; a repeat tells when it is")
  func replicaPaused() async throws {
    let market = try await Market.open(try master())
    let replica = try await replica(of: market.redis)
    defer {
      replica.stop()
      market.close()
    }
    try await market.supply(10)
    try await ready(market, for: .replica)
    #expect(try await market.reserve("a", at: .replica).acknowledged == .replica)
    replica.pause()
    let clock = ContinuousClock()
    let began = clock.now
    let less = try await market.reserve("b", at: .replica)
    #expect(less.outcome == .held && less.acknowledged == .fsync)
    #expect(clock.now - began < .seconds(3), "one WAIT, not the call's whole time")
    let hurried = clock.now
    #expect(try await market.reserve("c", at: .replica, timeoutMs: 300).acknowledged == .fsync)
    #expect(clock.now - hurried < .milliseconds(300), "in time for its caller")
    let others = clock.now
    for round in 0..<3 { #expect(try await market.reserve("d\(round)").outcome == .held) }
    #expect(clock.now - others < .milliseconds(900), "nobody else waits for the replica")
    replica.resume()
    try await eventually("the replica has the hold") {
      let again = try await market.reserve("b", at: .replica)
      return again.outcome == .repeated && again.acknowledged == .replica
        && again.holdID == less.holdID
    }
    #expect(try hold(less.holdID, in: replica))
    #expect(try await market.figures().held == 6, "a repeat at another level holds nothing more")
  }

  @Test("without a replica REPLICA is refused, before anything is held; with one it is promised")
  func noReplica() async throws {
    let market = try await Market.open(try master())
    defer { market.close() }
    try await market.supply(1)
    let status = try await market.refusal(of: ReserveRequest.of("k", at: .replica))
    #expect(status.code == .failedPrecondition && status.reason == "ACKNOWLEDGE_UNAVAILABLE")
    #expect(status.message.contains("0 replicas") && !status.outcomeUnknown)
    #expect(try await market.figures().held == 0)
    let replica = try await replica(of: market.redis)
    defer { replica.stop() }
    try await ready(market, for: .replica)
    #expect(try await market.reserve("k", at: .replica).acknowledged == .replica)
  }

  @Test("WAIT counts only for the Redis on which the script ran: another's replicas prove nothing")
  func anothersReplica() async throws {
    let (redis, other) = (try master(), try master())
    let (own, alive) = (try await replica(of: redis), try await replica(of: other))
    let address = try MovingAddress(to: redis)
    let market = try await Market.open(redis, environment: ["REDIS_URL": address.url])
    defer {
      market.close()
      for redis in [other, own, alive] { redis.stop() }
    }
    try await market.supply(10)
    #expect(try await market.reserve("before").outcome == .held)
    // The server's link stays where it is; the one that waits is made now, and ends elsewhere.
    try address.move(to: other)
    for key in 0..<3 {
      let reply = try await market.reserve("k\(key)", at: .replica, timeoutMs: 1_000)
      #expect(reply.outcome == .held && reply.acknowledged == .fsync)
    }
  }

  @Test("a connection for WAIT that cannot be made costs two seconds, not the call's whole time")
  func noConnection() async throws {
    let redis = try master()
    let replica = try await replica(of: redis)
    let address = try MovingAddress(to: redis)
    let market = try await Market.open(redis, environment: ["REDIS_URL": address.url])
    defer {
      market.close()
      replica.stop()
    }
    try await market.supply(10)
    try address.remove()
    let clock = ContinuousClock()
    let began = clock.now
    let reply = try await market.reserve("k", at: .replica, timeoutMs: 20_000)
    #expect(reply.outcome == .held && reply.acknowledged == .fsync)
    #expect(clock.now - began < .seconds(4))
  }

  @Test("silent replicas count for nothing: REPLICA is refused at once, and health says so")
  func silentReplica() async throws {
    let market = try await Market.open(try master())
    let replica = try await replica(of: market.redis)
    defer {
      replica.stop()
      market.close()
    }
    try await market.supply(10)
    try await ready(market, for: .replica)
    replica.pause()
    try await eventually(timeout: .seconds(20), "health says that the replica is silent") {
      let health = try await market.health()
      return health.status == .degraded && health.warnings.contains { $0.contains("silent") }
    }
    let status = try await market.refusal(of: ReserveRequest.of("k", at: .replica))
    #expect(status.reason == "ACKNOWLEDGE_UNAVAILABLE" && status.message.contains("1 silent"))
    #expect(try await market.figures().held == 0)
    #expect(try await market.reserve("k").outcome == .held, "at its own level it sells")
    replica.resume()
    try await ready(market, for: .replica)
  }

  @Test("without a worker: LEDGER is refused until one has read, and less is said while it is away")
  func workerAway() async throws {
    let market = try await Market.open()
    defer { market.close() }
    let database = try PostgresServer.shared().createDatabase()
    try await market.supply(10)
    let status = try await market.refusal(of: ReserveRequest.of("k", at: .ledger))
    #expect(status.code == .failedPrecondition && status.reason == "ACKNOWLEDGE_UNAVAILABLE")
    #expect(status.message.contains("worker"))
    #expect(try await market.figures().held == 0)
    let worker = try await market.startWorker(database)
    try await ready(market, for: .ledger)
    #expect(try await market.reserve("a", at: .ledger).acknowledged == .ledger)
    try worker.terminate()
    let clock = ContinuousClock()
    let began = clock.now
    let less = try await market.reserve("b", at: .ledger, timeoutMs: 500)
    #expect(less.outcome == .held && less.acknowledged == .fsync)
    #expect(clock.now - began < .milliseconds(500), "in time for its caller")
    let back = try await market.startWorker(database)
    defer { back.stop() }
    let again = try await market.reserve("b", at: .ledger)
    #expect(again.outcome == .repeated && again.acknowledged == .ledger)
    #expect(again.holdID == less.holdID)
  }

  @Test("while PostgreSQL is away: held at FSYNC; when it is back, the books have it")
  func postgresAway() async throws {
    let postgres = try PostgresServer.start()
    let market = try await Market.open()
    let database = try postgres.createDatabase()
    let worker = try await market.startWorker(database)
    defer {
      worker.stop()
      market.close()
      postgres.stop()
    }
    try await market.supply(10)
    try await ready(market, for: .ledger)
    postgres.kill()
    let less = try await market.reserve("a", at: .ledger, timeoutMs: 500)
    #expect(less.outcome == .held && less.acknowledged == .fsync)
    async let waiting = market.reserve("b", at: .ledger, timeoutMs: 30_000)
    try postgres.restart()
    #expect(try await waiting.acknowledged == .ledger, "who waits long enough is told")
    #expect(try postgres.psql(database, "SELECT count(*) FROM holds") == "2")
  }

  @Test("an event that becomes a dead letter: its caller is told as soon as it is one")
  func deadLetter() async throws {
    let postgres = try PostgresServer.shared()
    let market = try await Market.open()
    let database = try postgres.createDatabase()
    let worker = try await market.startWorker(database)
    defer {
      worker.stop()
      market.close()
    }
    try await market.supply(10)
    try await ready(market, for: .ledger)
    _ = try postgres.psql(
      database, "ALTER TABLE holds ADD CONSTRAINT no_poison CHECK (user_id <> 'poison')")
    let clock = ContinuousClock()
    let began = clock.now
    let reply = try await market.reserve("k", user: "poison", at: .ledger, timeoutMs: 30_000)
    #expect(reply.outcome == .held && reply.acknowledged == .fsync)
    #expect(clock.now - began < .seconds(10), "not the call's whole time")
    #expect(try market.redis.cli("HEXISTS", "inventory.dead.seen", "\(reply.holdID)/1") == "1")
    #expect(try await market.reserve("l", at: .ledger).acknowledged == .ledger, "the next one")
  }

  @Test("a server that stops while callers wait for the books answers them with what was reached")
  func stopping() async throws {
    let market = try await Market.open()
    defer { market.close() }
    let database = try PostgresServer.shared().createDatabase()
    try await market.supply(10)
    let worker = try await market.startWorker(database)
    try await ready(market, for: .ledger)
    try worker.terminate()
    async let waiting = market.reserve("a", at: .ledger, timeoutMs: 3_000)
    try await eventually("it is held") { try market.redis.cli("GET", "stock:x") == "9" }
    #expect(try market.server.terminate() == 0)
    let reply = try await waiting
    #expect(reply.outcome == .held && reply.acknowledged == .fsync)
  }

  @Test("what changes nothing is acknowledged at no level; a batch says the level for its items")
  func edges() async throws {
    let market = try await Market.open()
    defer { market.close() }
    try await market.supply(1)
    let soldOut = try await market.reserve("s", qty: 2, at: .fsync)
    #expect(soldOut.outcome == .soldOut && soldOut.acknowledged == nil)
    let batch = try await market.with {
      try await $0.call(BatchReserveRequest(items: [.of("a", at: .memory), .of("b")]))
    }
    guard case .failure(let status) = batch.results[0] else { throw HarnessError("accepted") }
    #expect(status.code == .invalidArgument && status.field == "items[0].acknowledge")
    let held = try batch.results[1].get()
    #expect(held.outcome == .held && held.acknowledged == nil)
    let shown = try Program.run(
      "stockctl", ["cancel", held.holdID, "--ack", "fsync", "--address", "\(market.address)"])
    #expect(shown.status == 0 && shown.stdout.contains("FSYNC"), "\(shown)")
    let wrong = try Program.run("stockctl", ["cancel", held.holdID, "--ack", "paper"])
    #expect(wrong.status == 64 && wrong.stderr.contains("paper"))
  }
}
