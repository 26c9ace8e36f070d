import Foundation
import Harness
import Inventory
import Testing

@testable import Ledger

@Suite("The worker and what can die on its way")
struct WorkerTests {
  @Test("a history reaches the books, and SIGTERM ends the worker with 0")
  func straightLine() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    let history = try fill(stream, operations: 1_000)
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    try await worker.waitForLog("ready")
    try await eventually("all is acknowledged") { try stream.isDone() }
    #expect(try books.rows() == ExpectedRows(of: history.events))
    #expect(try worker.terminate() == 0)
    #expect(worker.log.contains("stopped"))
  }

  @Test("two workers on one stream: every event exactly once")
  func twoWorkers() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    let workers = try ["one", "two"].map {
      try startWorker(redis, books, name: $0, ["--batch-bytes", "4096"])
    }
    defer { for worker in workers { worker.stop() } }
    for worker in workers { try await worker.waitForLog("ready") }
    let history = try fill(stream, operations: 3_000)
    try await eventually(timeout: .seconds(30), "all is acknowledged") { try stream.isDone() }
    #expect(try books.rows() == ExpectedRows(of: history.events))
    for worker in workers { #expect(worker.log.contains("batch applied"), "it had nothing to do") }
    for worker in workers { #expect(try worker.terminate() == 0) }
  }

  @Test("SIGKILL before commit: nothing is written, and the next one writes it")
  func killedBeforeCommit() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    let lock = try books.connect()
    try lock.migrate()
    let events = Example.created(0..<20) + [Example.confirmed(Example.hold(3))]
    try stream.add(events)

    // The last write of the transaction has to wait for this.
    try lock.execute("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
    let first = try startWorker(redis, books)
    defer { first.stop() }
    try await eventually("the worker waits inside its transaction") { try books.isWaiting() }
    first.kill()
    #expect(try books.count("processed_events") == 0)
    #expect(try stream.pending == 1)
    try lock.execute("ROLLBACK")

    let second = try startWorker(redis, books)
    defer { second.stop() }
    try await eventually("all is acknowledged") { try stream.isDone() }
    #expect(try books.rows() == ExpectedRows(of: events))
  }

  @Test("SIGKILL between commit and acknowledge: the repeat changes nothing")
  func killedBeforeAcknowledge() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let lock = try books.connect()
    try lock.migrate()
    let events = Example.created(0..<20) + [Example.confirmed(Example.hold(3))]
    try Stream(redis).add(events)

    try lock.execute("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
    let first = try startWorker(redis, books)
    defer { first.stop() }
    try await eventually("the worker waits inside its transaction") { try books.isWaiting() }
    // From here on no acknowledgement is heard: it would lie in Redis's socket, which dies with it.
    redis.pause()
    try lock.execute("ROLLBACK")
    try await eventually("it has committed") { try books.count("processed_events") == 21 }
    first.kill()
    redis.kill()
    try redis.restart()

    let stream = try Stream(redis)
    #expect(try stream.pending == 1)
    let processed = try books.psql("SELECT event_id, processed_at FROM processed_events ORDER BY 1")
    let second = try startWorker(redis, books)
    defer { second.stop() }
    try await second.waitForLog("repeated=21")
    try await eventually("all is acknowledged") { try stream.isDone() }
    #expect(try books.rows() == ExpectedRows(of: events))
    #expect(
      try books.psql("SELECT event_id, processed_at FROM processed_events ORDER BY 1") == processed)
  }

  @Test("a connection that was cut long ago reads under a lane's name: the lane takes that, soon")
  func ghost() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    try await eventually("both lanes read") { try stream.consumers().contains("one/2") }
    let events = Example.created(0..<60)
    for number in stride(from: 0, to: 60, by: 20) {
      try stream.add(Array(events[number..<number + 10]), takenBy: "one")
      try stream.add(Array(events[number + 10..<number + 20]), takenBy: "one/2")
      try await eventually(timeout: .seconds(5), "all is acknowledged") { try stream.isDone() }
    }
    #expect(try books.rows() == ExpectedRows(of: events))
    #expect(!worker.log.contains("taking over"))
  }

  @Test("entries of a worker that never came back are taken over")
  func reclaim() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    let events = Example.created(0..<30)
    for event in events { try stream.add([event]) }
    #expect(try stream.reader("gone").readNew(entriesMax: 20, blockMs: 1_000).count == 20)

    let worker = try startWorker(redis, books, ["--reclaim-after", "300"])
    defer { worker.stop() }
    try await eventually("all is acknowledged") { try stream.isDone() }
    #expect(worker.log.contains("taking over"))
    #expect(try books.rows() == ExpectedRows(of: events))
  }

  @Test("PostgreSQL away at the start, and away again later: the books catch up")
  func postgresAway() async throws {
    let (redis, postgres) = (try RedisServer.start(), try PostgresServer.start())
    defer {
      redis.stop()
      postgres.stop()
    }
    let (stream, books) = (try Stream(redis), try Books(in: postgres))
    RedisServer.nameBooks(books.url)
    postgres.kill()
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    try await worker.waitForLog("trying again")
    try stream.add(Example.created(0..<10))
    try postgres.restart()
    try await worker.waitForLog("ready", timeout: .seconds(20))
    try await eventually("all is acknowledged") { try stream.isDone() }

    postgres.kill()
    for number in 10..<40 { try stream.add(Example.created(number..<number + 1)) }
    try await eventually("the worker has noticed") {
      worker.log.components(separatedBy: "trying again").count > 2
    }
    #expect(try stream.pending > 0)
    try postgres.restart()
    try await eventually(timeout: .seconds(20), "all is acknowledged") { try stream.isDone() }
    #expect(try books.rows() == ExpectedRows(of: Example.created(0..<40)))
    // Once for each change of state (refused, starting up, gone), not once for each attempt.
    let lines = worker.log.split(separator: "\n").filter { $0.contains("trying again") }
    for lane in ["lane=1", "lane=2"] {
      let said = lines.filter { $0.contains(lane) }.map { $0.drop { $0 != " " } }
      #expect(said.count > 1 && zip(said, said.dropFirst()).allSatisfy { $0 != $1 }, "\(said)")
    }
    #expect(worker.log.contains("events are applied again"))
    #expect(try redis.cli("EXISTS", "inventory.trials") == "0", "no event is to blame")
  }

  @Test("Redis restarted, then emptied: the worker goes on by itself")
  func redisAway() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    try await worker.waitForLog("ready")
    try redis.restart()
    let stream = try Stream(redis)
    try stream.add(Example.created(0..<10))
    try await eventually("the first ten are applied") { try books.count("holds") == 10 }

    try redis.cli("FLUSHALL")
    try stream.add(Example.created(10..<20))
    try await eventually("the next ten are applied") { try books.count("holds") == 20 }
    try await eventually("all is acknowledged") { try stream.isDone() }
  }

  @Test("SIGTERM while PostgreSQL is away ends the worker at once, with nothing acknowledged")
  func stopWhileAway() async throws {
    let redis = try RedisServer.start()
    defer { redis.stop() }
    let worker = try Program.start(
      "stockworker", ["--redis", redis.url],
      environment: ["DATABASE_URL": "postgresql://anna:hush@127.0.0.1:1/books"])
    defer { worker.stop() }
    try await worker.waitForLog("trying again")
    #expect(try worker.terminate(timeout: .seconds(5)) == 0)
    #expect(!worker.log.contains("hush"))
  }

  @Test("SIGTERM as soon as the worker says that it starts is not lost")
  func stopAtOnce() async throws {
    for _ in 1...10 {
      let worker = try Program.start(
        "stockworker", ["--redis", "redis://127.0.0.1:1"],
        environment: ["DATABASE_URL": "postgresql://anna:hush@127.0.0.1:1/books"])
      defer { worker.stop() }
      while !worker.log.contains("starting"), worker.isRunning {}
      #expect(try worker.terminate(timeout: .seconds(5)) == 0)
    }
  }

  @Test("a database of a newer program: the worker says so and exits 1")
  func newerDatabase() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    try books.connect().migrate()
    try books.psql("INSERT INTO schema_migrations (version, name) VALUES (99, 'future')")
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    #expect(worker.wait() == 1)
    #expect(worker.log.contains("run a newer program"))
  }

  @Test("a newer program changes the tables under a worker: it says so, exits 1, loses nothing")
  func newerDatabaseMeanwhile() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    try stream.add(Example.created(0..<3))
    try await eventually("it applies") { try stream.isDone() }
    try books.psql(
      """
      INSERT INTO schema_migrations (version, name) VALUES (99, 'future');
      ALTER TABLE stock_movements RENAME TO movements
      """)
    try stream.add(Example.created(3..<6))
    #expect(worker.wait() == 1)
    #expect(worker.log.contains("run a newer program"))
    #expect(try redis.cli("XLEN", "inventory.dead") == "0")
    #expect(try stream.pending == 1)
    try books.psql(
      """
      DELETE FROM schema_migrations WHERE version = 99;
      ALTER TABLE movements RENAME TO stock_movements
      """)
    let next = try startWorker(redis, books)
    defer { next.stop() }
    try await eventually("the next has everything") { try books.count("holds") == 6 }
  }

  /// Writes a random history into the stream, in entries of random size and with repeats.
  private func fill(_ stream: Stream, operations: Int) throws -> History {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("history seed \(seed)")
    var random = Seeded(seed)
    let history = History(operations: operations, random: &random)
    var rest = history.events[...]
    while !rest.isEmpty {
      let entry = Array(rest.prefix(.random(in: 1...20, using: &random)))
      rest.removeFirst(entry.count)
      try stream.add(entry)
      if Int.random(in: 0..<10, using: &random) == 0 {
        try stream.add(entry.shuffled(using: &random))
      }
    }
    return history
  }
}
