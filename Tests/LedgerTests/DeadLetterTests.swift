import Harness
import Inventory
import Testing

@testable import HotPath

@Suite("Events that cannot be applied")
struct DeadLetterTests {
  /// Decodes, and breaks a rule of the tables.
  private static var poison: Event {
    var hold = Example.hold(99)
    hold.expiresAt = hold.createdAt - 1
    return .hold(.holdCreated, hold)
  }

  @Test("poison and garbage are written down, their neighbours applied, the entry acknowledged")
  func neighbours() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    func pair(_ event: Event) -> (type: String, bytes: [UInt8]) {
      (event.type.rawValue, EventBytes.of(event))
    }
    let good = Example.created(0..<4)
    let torn = try stream.add(pairs: [
      pair(good[0]), ("HOLD_CREATED", [0xFF, 0xFF]), pair(good[1]), pair(Self.poison),
      ("HOLD_MELTED", []), pair(good[2]),
    ])
    try stream.add([good[3]])
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    try await eventually("all is acknowledged") { try stream.isDone() }

    #expect(try books.rows() == ExpectedRows(of: good))
    let letters = try redis.cli("XRANGE", KeySpace().deadEvents, "-", "+")
    #expect(try stream.length(KeySpace().deadEvents) == 3)
    for text in [
      "\(torn)/1", "not a protobuf message", "\(torn)/4", "unknown event type HOLD_MELTED",
      Self.poison.id, "holds_expire_after_creation", "HOLD_MELTED", torn,
    ] {
      #expect(letters.contains(text), "\(text) in \(letters)")
    }
    #expect(worker.log.contains("error"))
  }

  @Test("a dead letter is written once, however often and wherever its event comes")
  func once() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    let first = try stream.add([Self.poison])
    try stream.add(Example.created(0..<1) + [Self.poison, Self.poison])
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    try await eventually("all is acknowledged") { try stream.isDone() }
    try stream.add([Self.poison])
    try await eventually("all is acknowledged again") { try stream.isDone() }
    #expect(try stream.length(KeySpace().deadEvents) == 1)
    let letters = try DeadLetters(at: RedisAddress(redis.url)!)
    #expect(try letters.show(Self.poison.id)?.entry == first)
    #expect(try books.count("holds") == 1)
  }

  @Test("dead letters that cannot be written leave their entry unacknowledged until they can")
  func wrongType() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    try redis.cli("SET", KeySpace().deadEvents, "mistake")
    try stream.add([Self.poison])
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    try await worker.waitForLog("WRONGTYPE")
    #expect(try stream.pending == 1)
    try redis.cli("DEL", KeySpace().deadEvents)
    try await eventually("all is acknowledged") { try stream.isDone() }
    #expect(try stream.length(KeySpace().deadEvents) == 1)
  }

  @Test("what a person wrote into the stream by hand does not stop the worker")
  func byHand() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    try redis.cli("XADD", KeySpace().events, "*", "hello", "world")
    try stream.add(Example.created(0..<1))
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    try await eventually("all is acknowledged") { try stream.isDone() }
    #expect(try stream.length(KeySpace().deadEvents) == 1)
    #expect(try books.count("holds") == 1)
  }
}
