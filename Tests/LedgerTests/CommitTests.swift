import Harness
import Testing

@testable import Ledger

@Suite("What is committed is on the disk")
struct CommitTests {
  @Test(
    "synchronous_commit is on where the database has it off; any other level stays",
    arguments: [("off", "on"), ("on", "on"), ("local", "local"), ("remote_apply", "remote_apply")])
  func level(set: String, found: String) throws {
    let books = try Books()
    try books.psql(
      """
      DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET synchronous_commit = \(set)', current_database());
      END $$
      """)
    let level = Statement("level", "SELECT current_setting('synchronous_commit')")
    #expect(try books.connect().run(level).text(0, 0) == found)
  }

  @Test("a server that does not sync is warned of, once")
  func unsynced() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    #expect(try books.connect().missingDurability() == ["fsync"], "as the harness starts it")
    let worker = try startWorker(redis, books, ["--lanes", "1"])
    defer { worker.stop() }
    try await worker.waitForLog("ready")
    try books.psql(
      """
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name LIKE 'stockworker%' AND datname = current_database()
      """)
    let stream = try Stream(redis)
    try stream.add(Example.created(0..<3))
    try await eventually("it has connected again") { try stream.isDone() }
    let warnings = worker.log.split(separator: "\n").filter { $0.contains("off=fsync") }
    #expect(warnings.count == 1, "\(worker.log)")
  }

  @Test("one that does is not")
  func synced() throws {
    let postgres = try PostgresServer.start(fsync: true)
    defer { postgres.stop() }
    let books = try Books(in: postgres)
    #expect(try books.connect().missingDurability() == [])
  }
}
