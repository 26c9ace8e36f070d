import Harness
import Inventory
import Testing

@testable import HotPath

@Suite("Many workers that are killed")
struct ChaosTests {
  @Test("20,000 events, three workers of two lanes, SIGKILL at random: every sum is exact")
  func killed() async throws {
    let (redis, books) = (try RedisServer.start(fsync: "no"), try Books())
    defer { redis.stop() }
    let seed = UInt64.random(in: 0...UInt64.max)
    print("history seed \(seed)")
    var random = Seeded(seed)
    let history = History(operations: 56_000, random: &random)
    #expect(history.events.count > 20_000)
    _ = try books.open()
    let stream = try Stream(redis)
    var rest = history.events[...]
    while !rest.isEmpty {
      let entry = Array(rest.prefix(.random(in: 1...60, using: &random)))
      rest.removeFirst(entry.count)
      try stream.add(entry)
    }

    func start(_ number: Int) throws -> Program {
      try startWorker(
        redis, books, name: "w\(number)",
        ["--lanes", "2", "--batch-bytes", "16384", "--reclaim-after", "1000"])
    }
    var workers = try (0..<3).map { try start($0) }
    defer { for worker in workers { worker.stop() } }
    var kills = 0
    for threshold in stride(from: 1_000, to: 18_000, by: 1_500) {
      try await eventually(timeout: .seconds(30), "\(threshold) events are applied") {
        try books.count("processed_events") >= threshold
      }
      let victim = Int.random(in: 0..<3, using: &random)
      workers[victim].kill()
      workers[victim].stop()
      workers[victim] = try start(victim)
      kills += 1
    }
    try await eventually(timeout: .seconds(60), "all is acknowledged") { try stream.isDone() }
    #expect(kills == 12)
    #expect(try books.count("processed_events") == history.events.count, "seed \(seed)")
    #expect(try books.count("stock_movements") == history.events.count, "seed \(seed)")
    #expect(try stream.length(KeySpace().deadEvents) == 0)
    let last = try #require(history.checkpoints.last)
    #expect(last.events == history.events.count)
    for (sku, figures) in last.figures {
      #expect(
        try books.figures(of: sku)
          == "\(figures.available)|\(figures.held)|\(figures.sold)|\(figures.supplied)",
        "\(sku), seed \(seed)")
      #expect(
        try books.psql("SELECT sum(qty) FROM orders WHERE sku = '\(sku)'") == "\(figures.sold)")
    }
  }

  @Test("a name leaves the group when nothing is pending under it, and only then")
  func leave() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    try stream.add(Example.created(0..<3))
    try await eventually("both lanes are there, and all is acknowledged") {
      try stream.isDone() && stream.consumers().contains("one/2")
    }
    #expect(try worker.terminate() == 0)
    #expect(try !stream.consumers().contains("one"))

    try stream.add(Example.created(3..<4))
    let reader = try stream.reader("slow")
    let read = try reader.readNew(blockMs: 1_000).map(\.id)
    #expect(read.count == 1)
    #expect(try !reader.leave())
    #expect(try stream.pending == 1, "leaving would have lost it")
    try reader.acknowledge(read)
    #expect(try reader.leave())
    #expect(try !stream.consumers().contains("slow"))
  }

  @Test("the worker says how far it is, also while PostgreSQL is away")
  func figures() async throws {
    let (redis, postgres) = (try RedisServer.start(), try PostgresServer.start())
    defer {
      redis.stop()
      postgres.stop()
    }
    let (stream, books) = (try Stream(redis), try Books(in: postgres))
    func figure(_ name: String) throws -> String {
      try redis.cli("HGET", KeySpace().workerFigures, name)
    }
    let worker = try startWorker(redis, books, ["--trim-window", "400"])
    defer { worker.stop() }
    try await worker.waitForLog("ready")
    let first = try stream.add(Example.created(0..<3))
    try await eventually("it is applied") {
      try figure("applied_to") == first && figure("pending_entries") == "0"
    }
    #expect(try figure("oldest_age_ms") == "0" && figure("lag_entries") == "0")
    postgres.kill()
    for number in 3..<6 { try stream.add(Example.created(number..<number + 1)) }
    try await eventually("what waits is counted, and grows old") {
      try Int(figure("pending_entries"))! + Int(figure("lag_entries"))! == 3
        && Int(figure("oldest_age_ms"))! > 500
    }
    #expect(try figure("applied_to") >= first)
  }
}
