import Harness
import Inventory
import Testing

@testable import HotPath
@testable import Projection

@Suite("Trimming the stream")
struct TrimmingTests {
  /// Entries with ids of 1970, one for each number, large enough to have a node of Redis's tree each.
  private func addOld(_ numbers: ClosedRange<Int>, to stream: Stream) throws {
    for number in numbers {
      try stream.add(Example.created(number * 20..<number * 20 + 20), id: "\(number)-0")
    }
  }

  private func first(_ stream: Stream) throws -> String {
    let first = try stream.redis.cli("XRANGE", KeySpace().events, "-", "+", "COUNT", "1")
    return first.split(separator: "\n").first.map(String.init) ?? ""
  }

  @Test("the floor: the oldest unacknowledged entry, else what follows the last one handed out")
  func floor() throws {
    let redis = try RedisServer.start()
    defer { redis.stop() }
    let stream = try Stream(redis)
    let reader = try stream.reader("one")
    let trimming = Trimming(groups: [KeySpace.group], windowMs: 60_000)
    try addOld(1...10, to: stream)
    #expect(try trimming.judge(reader).floor == StreamID("0-1"), "nothing was handed out yet")

    let read = try reader.readNew(entriesMax: 8, blockMs: 1_000).map(\.id)
    #expect(try trimming.judge(reader).floor == StreamID("1-0"))
    try reader.acknowledge([read[0], read[1], read[4]])
    #expect(try trimming.judge(reader).floor == StreamID("3-0"))
    try reader.acknowledge(read)
    #expect(try trimming.judge(reader).floor == StreamID("8-1"))

    #expect(try reader.trim(before: StreamID("8-1")!, entriesMax: 10_000) > 0)
    #expect(try ["8-0", "9-0"].contains(first(stream)), "a whole node may stay, never less")
    #expect(try reader.readNew(entriesMax: 8, blockMs: 1_000).map(\.id.ms) == [9, 10])
  }

  @Test("the window: what is younger stays, though everyone has done with it")
  func window() throws {
    let redis = try RedisServer.start()
    defer { redis.stop() }
    let stream = try Stream(redis)
    let reader = try stream.reader("one")
    try addOld(1...5, to: stream)
    let young = try stream.add(Example.created(0..<1))
    let read = try reader.readNew(entriesMax: 10, blockMs: 1_000).map(\.id)
    try reader.acknowledge(read)
    let before = try reader.time()
    let floor = try Trimming(groups: [KeySpace.group], windowMs: 60_000).judge(reader).floor!
    #expect((before - 60_000...before - 50_000).contains(floor.ms))
    _ = try reader.trim(before: floor, entriesMax: 10_000)
    #expect(try stream.redis.cli("XRANGE", KeySpace().events, young, young).contains(young))
    #expect(try stream.length() < 6)
  }

  @Test("the window shrinks when memory is short; what is not acknowledged stays all the same")
  func memory() throws {
    let redis = try RedisServer.start()
    defer { redis.stop() }
    let stream = try Stream(redis)
    let reader = try stream.reader("one")
    let trimming = Trimming(groups: [KeySpace.group], windowMs: 600_000)
    #expect(trimming.window(at: 0.5) == 600_000 && trimming.window(at: 0.625) == 300_000)
    #expect(trimming.window(at: 0.75) == 0 && trimming.window(at: 2) == 0)

    let first = try stream.add(Example.created(0..<1))
    let second = try stream.add(Example.created(1..<2))
    let read = try reader.readNew(entriesMax: 10, blockMs: 1_000).map(\.id)
    try reader.acknowledge([read[0]])
    #expect(try trimming.judge(reader).floor! < StreamID(first)!, "the window holds it")
    try redis.cli("CONFIG", "SET", "maxmemory", "500000")  // less than is in use
    #expect(try trimming.judge(reader).floor == StreamID(second))
  }

  @Test("a group that is waited for and does not exist keeps everything; a stranger keeps nothing")
  func groups() throws {
    let redis = try RedisServer.start()
    defer { redis.stop() }
    let stream = try Stream(redis)
    let reader = try stream.reader("one")
    try addOld(1...5, to: stream)
    try reader.acknowledge(try reader.readNew(entriesMax: 10, blockMs: 1_000).map(\.id))
    try redis.cli("XGROUP", "CREATE", KeySpace().events, "other", "0")

    let alone = try Trimming(groups: [KeySpace.group], windowMs: 0).judge(reader)
    #expect(alone.floor == StreamID("5-1"))
    #expect(alone.strangers == ["other"])
    let both = try Trimming(groups: [KeySpace.group, "other"], windowMs: 0).judge(reader)
    #expect(both.floor == StreamID("0-1"))
    let missing = try Trimming(groups: [KeySpace.group, "third"], windowMs: 0).judge(reader)
    #expect(missing.floor == nil)
    #expect(missing.missing == ["third"])
  }

  @Test("the worker trims what is applied and old, and never what another has not acknowledged")
  func worker() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    let slow = try stream.reader("slow")
    try addOld(1...20, to: stream)
    let held = try slow.readNew(entriesMax: 10, blockMs: 1_000).map(\.id)
    try slow.acknowledge(Array(held.prefix(4)))
    try redis.cli("XGROUP", "CREATE", KeySpace().events, "stranger", "0")

    let worker = try startWorker(redis, books, ["--trim-window", "0"])
    defer { worker.stop() }
    try await eventually("what is acknowledged is trimmed") {
      try ["4-0", "5-0"].contains(first(stream))
    }
    try await eventually("the rest is applied") { try books.count("processed_events") == 200 }
    #expect(try stream.redis.cli("XRANGE", KeySpace().events, "5-0", "5-0").contains("5-0"))
    try await worker.waitForLog("ALARM: a consumer group that the worker does not know")
    #expect(worker.log.contains("group=stranger"))
    try await eventually("the figures name it") {
      try redis.cli("HGET", KeySpace().workerFigures, "unknown_groups") == "stranger"
    }

    try slow.acknowledge(held)
    try await eventually("all of it is trimmed") { try stream.length() <= 1 }
  }
}
