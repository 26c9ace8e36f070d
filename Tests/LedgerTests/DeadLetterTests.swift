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

  @Test(
    "the life of a letter: refused three times, listed, shown, replayed after the fix, applied once"
  )
  func replay() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    _ = try books.open()
    try books.psql("ALTER TABLE holds ADD CONSTRAINT no_seven CHECK (user_id <> 'user 7')")
    let stream = try Stream(redis)
    let events = Example.created(0..<10)
    let entry = try stream.add(events)
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    try await eventually("all is acknowledged") { try stream.isDone() }
    let letters = try DeadLetters(at: RedisAddress(redis.url)!)
    #expect(try letters.list(limit: 10).map(\.letter.id) == [events[7].id])
    let record = try #require(try letters.show(events[7].id))
    #expect(record.entry == entry && record.letter.index == 7)
    #expect(record.letter.type == "HOLD_CREATED" && record.letter.reason.contains("no_seven"))
    #expect(record.letter.bytes == EventBytes.of(events[7]))
    #expect(record.letter.attempts == 3 && record.letter.lastMs > record.letter.firstMs)
    #expect(try books.count("holds") == 9)

    // Before the fix it comes back.
    #expect(try letters.replay(events[7].id) != nil)
    try await eventually("it is dead again") {
      let again = try letters.show(events[7].id)
      return try again.map { $0.place > record.place } == true && stream.isDone()
    }
    try books.psql("ALTER TABLE holds DROP CONSTRAINT no_seven")
    #expect(try letters.replay(events[7].id) != nil)
    #expect(try letters.replay(events[7].id) == nil, "it is gone")
    try await eventually("it is applied") { try stream.isDone() && books.count("holds") == 10 }
    try stream.add([events[7]])
    try await worker.waitForLog("repeated=1")
    #expect(try books.rows() == ExpectedRows(of: events))
    #expect(try letters.count() == 0)
  }

  @Test("a letter that is discarded is gone; one of an unknown type can be replayed too")
  func discard() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    let entry = try stream.add(pairs: [("HOLD_MELTED", [1, 2, 3]), ("HOLD_FROZEN", [0, 255])])
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    try await eventually("all is acknowledged") { try stream.isDone() }
    let letters = try DeadLetters(at: RedisAddress(redis.url)!)
    let first = try #require(try letters.list(limit: 1).first)
    #expect(first.letter.id == "\(entry)/0" && first.letter.bytes == [1, 2, 3])
    #expect(try letters.list(after: first.place, limit: 9).map(\.letter.bytes) == [[0, 255]])
    #expect(try letters.discard(first.letter.id))
    #expect(try !letters.discard(first.letter.id))
    #expect(try letters.show(first.letter.id) == nil)
    #expect(try letters.replay("\(entry)/1") != nil)
    try await eventually("the other is dead under its new place") {
      try letters.list(limit: 9).map(\.letter.type) == ["HOLD_FROZEN"]
        && letters.show("\(entry)/1") == nil
    }
  }
}
