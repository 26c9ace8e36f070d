import Harness
import Inventory
import Testing

@testable import HotPath
@testable import Projection

@Suite("A group that nobody reads")
struct StalledGroupTests {
  @Test("it must have stood still for the whole time, with something to do")
  func rule() {
    var stalls = StalledGroups(afterMs: 1_000)
    let (low, high) = (StreamID(ms: 1, sequence: 0), StreamID(ms: 2, sequence: 0))
    #expect(stalls.look(at: [("a", low), ("b", low)], nowMs: 10_000).isEmpty)
    #expect(stalls.look(at: [("a", low), ("b", high)], nowMs: 10_999).isEmpty)
    #expect(stalls.look(at: [("a", low), ("b", high)], nowMs: 11_000) == ["a"], "b has moved")
    #expect(stalls.look(at: [("a", low), ("b", high)], nowMs: 11_999) == ["a", "b"])
    #expect(stalls.look(at: [("b", high)], nowMs: 12_000) == ["b"], "a has nothing to do")
    #expect(stalls.look(at: [("a", low), ("b", high)], nowMs: 12_500) == ["b"], "a begins anew")
    #expect(stalls.look(at: [("a", low)], nowMs: 5_000).isEmpty, "a clock that went back")
  }

  @Test("one that trimming waits for: an alarm in log and figures, until it is read")
  func worker() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    try redis.cli("XGROUP", "CREATE", KeySpace().events, "mail", "0", "MKSTREAM")
    let worker = try startWorker(
      redis, books,
      ["--wait-for-group", "mail", "--trim-window", "0", "--stalled-after", "300"])
    defer { worker.stop() }
    try await worker.waitForLog("ready")
    func figure() throws -> String {
      try redis.cli("HGET", KeySpace().workerFigures, "stalled_groups")
    }
    try await eventually("the figures are there") {
      try redis.cli("HEXISTS", KeySpace().workerFigures, "stalled_groups") == "1"
    }
    #expect(try figure() == "", "nothing waits for it")
    for number in 1...20 {
      try stream.add(Example.created(number * 20..<number * 20 + 20), id: "\(number)-0")
    }
    try await worker.waitForLog("a group that trimming waits for does not move")
    #expect(worker.log.contains("group=mail"))
    try await eventually("the figures name it") { try figure() == "mail" }
    #expect(try stream.length() == 20, "and nothing is trimmed")

    let mail = try EventStream(
      at: RedisAddress(redis.url)!, group: "mail", consumer: "reader")
    try mail.acknowledge(try mail.readNew(entriesMax: 20, blockMs: 1_000).map(\.id))
    try await worker.waitForLog("a group that stood still moves again")
    try await eventually("the figures forget it") { try figure() == "" }
    try await eventually("the stream is trimmed") { try stream.length() <= 1 }
  }
}
