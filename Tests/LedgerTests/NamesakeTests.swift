import Harness
import HotPath
import Testing

@testable import Projection

@Suite("Two workers of one name")
struct NamesakeTests {
  @Test("one that was there before is none; one that writes while this one does, is, for a while")
  func looks() {
    var namesake = Namesake(word: "own")
    let metMs: UInt64 = 3_000
    let found = [
      ("before", 1_000), ("own", 2_000), ("other", metMs),
      ("own", metMs + ProjectionLimits.namesakeMs - 1), (nil, metMs + ProjectionLimits.namesakeMs),
    ].map { (word: String?, nowMs: UInt64) in namesake.look(at: word, nowMs: nowMs) }
    #expect(found == [false, false, true, true, false])
  }

  @Test("both say so, until one has ended; a restart under the same name is none")
  func workers() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let before = try startWorker(redis, books, ["--listen", "none"])
    try await before.waitForLog("ready")
    before.kill()
    let first = try startWorker(redis, books, ["--listen", "none"])
    defer { first.stop() }
    try await first.waitForLog("ready")
    try await redis.workersSpeak(3)
    #expect(!first.log.contains("the same name"))
    let second = try startWorker(redis, books, ["--listen", "none"])
    defer { second.stop() }
    for worker in [first, second] {
      try await worker.waitForLog("another worker has the same name", timeout: .seconds(30))
    }
    try second.terminate()
    try await first.waitForLog("no other worker has the same name any more", timeout: .seconds(60))
  }
}
