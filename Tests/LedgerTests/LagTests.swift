import Harness
import Inventory
import Testing

@testable import HotPath

/// After a Redis has read its append-only file, `lag` may stay wrong for ever: a rewritten file says how
/// many entries the group had read by then, and what it read afterwards only moves its last id.
@Suite("What waits for the books, where Redis counts it wrongly")
struct LagTests {
  private let events = KeySpace().events

  /// What Redis itself says.
  private func counted(_ redis: RedisServer) throws -> String {
    let lines = try redis.cli("XINFO", "GROUPS", events).split(
      separator: "\n", omittingEmptySubsequences: false)
    return String(lines[lines.firstIndex(of: "lag")! + 1])
  }

  /// Eight entries that were read and acknowledged, of which Redis believes that five were not.
  private func miscounting(_ redis: RedisServer) async throws -> EventStream {
    let stream = try Stream(redis)
    func read(_ count: Int) throws {
      let reader = try stream.reader("one")
      for number in 0..<count { try stream.add(Example.created(number..<number + 1)) }
      try reader.acknowledge(try reader.readNew(entriesMax: count, blockMs: 1_000).map(\.id))
    }
    try read(3)
    try redis.cli("BGREWRITEAOF")
    try await eventually("the file is rewritten") {
      let info = try redis.cli("INFO", "persistence")
      return info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0")
    }
    try read(5)
    redis.kill()
    try redis.restart()
    #expect(try counted(redis) == "5", "this Redis has learned to count: is all this still needed?")
    return try Stream(redis).reader("one")
  }

  @Test(
    "ids say that nothing waits, and the count is put right for all that comes",
    arguments: [
      (by: ["XLEN"], wrong: true, then: "3"),
      (by: ["XTRIM", "MAXLEN", "4"], wrong: true, then: "3"),
      (by: ["XTRIM", "MAXLEN", "0"], wrong: true, then: "3"),
      (by: ["XDEL", "first"], wrong: true, then: "3"),
      // What Redis cannot count any more it does not count wrongly.
      (by: ["XDEL", "last"], wrong: false, then: ""),
    ])
  func rule(by command: [String], wrong: Bool, then: String) async throws {
    let redis = try RedisServer.start()
    defer { redis.stop() }
    let reader = try await miscounting(redis)
    let group = try #require(try reader.groups().first)
    let first = try #require(try reader.oldest())
    let arguments = command.dropFirst().map {
      ["first": "\(first)", "last": "\(group.lastDelivered)"][$0] ?? $0
    }
    try redis.cli([command[0], events] + arguments)

    #expect(try reader.groups().map(\.lag) == [0])
    #expect(try reader.recount() == wrong)
    #expect(try counted(redis) == "0")
    #expect(try !reader.recount(), "it is right already")
    for number in 8..<11 { try Stream(redis).add(Example.created(number..<number + 1)) }
    #expect(try counted(redis) == then)
    let after = try #require(try reader.groups().first)
    #expect(after.lag == Int(then) && after.lastDelivered == group.lastDelivered)
    #expect(try reader.readNew(entriesMax: 9, blockMs: 1_000).count == 3, "none is lost")
  }

  @Test("while something waits the count stays: nobody could say what is right")
  func behind() async throws {
    let redis = try RedisServer.start()
    defer { redis.stop() }
    let reader = try await miscounting(redis)
    try Stream(redis).add(Example.created(8..<9))
    #expect(try !reader.recount())
    #expect(try reader.groups().map(\.lag) == [6])
  }

  @Test("the worker puts it right, says so, and its figures are those of the stream")
  func worker() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    _ = try await miscounting(redis)
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    try await worker.waitForLog("redis counted wrongly what waits for the books")
    #expect(try counted(redis) == "0")
    try await eventually("the figures are there") {
      try redis.cli("HGET", KeySpace().workerFigures, "lag_entries") == "0"
    }
    #expect(worker.log.matches(of: /lag_entries=[1-9]/).isEmpty)
  }

  @Test("under an older list of users the worker says once that it may not, and goes on")
  func forbidden() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    _ = try await miscounting(redis)
    try redis.cli(
      "ACL", "SETUSER", "old", "on", ">word", "~*", "+@all", "-xgroup|setid")
    RedisServer.nameBooks(books.url)
    let worker = try Program.start(
      "stockworker", ["--database", books.url, "--name", "one", "--log-level", "debug"],
      environment: ["REDIS_URL": redis.url.replacing("redis://", with: "redis://old:word@")])
    defer { worker.stop() }
    try await worker.waitForLog("redis does not let its count of the group be put right")
    try await eventually("it has looked three times more") {
      worker.log.matches(of: /lag_entries=0.*how far the books are/).count >= 3
    }
    #expect(worker.log.matches(of: /does not let its count/).count == 1)
  }
}
