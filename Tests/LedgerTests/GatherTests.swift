import Foundation
import Harness
import Projection
import Testing

@testable import Ledger

@Suite("When events gather for a transaction, and when they do not")
struct GatherTests {
  @Test("after a transaction of several, what comes is written together")
  func gathers() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    let worker = try startWorker(redis, books, ["--lanes", "1", "--gather-ms", "3000"])
    defer { worker.stop() }
    try stream.add(Example.created(0..<2))
    try await eventually("the first two are acknowledged") { try stream.isDone() }
    for number in 2..<7 {
      try stream.add(Example.created(number..<number + 1))
      // Time enough for a transaction of its own.
      try await Task.sleep(for: .milliseconds(100))
    }
    try await eventually("all is acknowledged") { try stream.isDone() }
    #expect(try books.count("holds") == 7)
    let transactions = "SELECT count(DISTINCT xmin::text) FROM stock_movements"
    #expect(try books.psql(transactions) == "2")
  }

  // A minute of pause would be longer than `eventually` waits.
  @Test(
    "neither one event alone nor a full transaction is followed by a pause",
    arguments: [(events: 1, batchBytes: "4194304"), (events: 2, batchBytes: "1")])
  func doesNotPause(events: Int, batchBytes: String) async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    let worker = try startWorker(
      redis, books, ["--lanes", "1", "--gather-ms", "60000", "--batch-bytes", batchBytes])
    defer { worker.stop() }
    for number in 0..<3 {
      let first = number * events
      try stream.add(Example.created(first..<first + events))
      try await eventually("it is acknowledged") { try stream.isDone() }
    }
    #expect(try books.count("holds") == 3 * events)
  }

  @Test("SIGTERM does not wait for the end of a pause")
  func stops() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    let worker = try startWorker(redis, books, ["--lanes", "1", "--gather-ms", "60000"])
    defer { worker.stop() }
    try stream.add(Example.created(0..<2))
    try await eventually("it is acknowledged") { try stream.isDone() }
    #expect(try worker.terminate() == 0)
  }

  @Test("the pause is a setting, of up to a minute")
  func setting() throws {
    let most = "\(ProjectionLimits.gatherMsMax)"
    let told = try Program.run(
      "stockworker", ["--check-config"], environment: ["STOCK_GATHER_MS": most])
    let line = told.stdout.split(separator: "\n").first { $0.hasPrefix("gather-ms:") }
    #expect(told.status == 0 && line?.contains(" \(most) ") == true, "\(told)")
    for wrong in ["60001", "-1", "soon"] {
      let refused = try Program.run("stockworker", ["--check-config", "--gather-ms=\(wrong)"])
      #expect(refused.status == 64)
      #expect(refused.stderr.contains("--gather-ms must be 0 to 60000 milliseconds"), "\(refused)")
    }
  }
}
