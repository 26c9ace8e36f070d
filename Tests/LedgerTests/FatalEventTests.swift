import Harness
import Inventory
import Testing

@testable import HotPath

/// What must not stop everybody: an event that ends whoever applies it.
@Suite("An event that ends its worker")
struct FatalEventTests {
  /// The insert of its row does not return: time to kill the worker in the middle of it.
  private static let trap = """
    CREATE FUNCTION fatal() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_sleep(3600); RETURN NEW; END $$;
    CREATE TRIGGER fatal BEFORE INSERT ON holds
      FOR EACH ROW WHEN (NEW.user_id = 'user 7') EXECUTE FUNCTION fatal()
    """

  private static let sleeping = """
    FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'
    """

  @Test(
    "SIGKILL each time, in the same worker or in another one: dead in the end, its neighbours applied",
    arguments: [true, false])
  func killed(sameWorker: Bool) async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    _ = try books.open()
    try books.psql(Self.trap)
    let stream = try Stream(redis)
    let events = Example.created(0..<30)
    for start in [0, 10, 20] { try stream.add(Array(events[start..<start + 10])) }

    var kills = 0
    while try await dies(redis, books, stream, name: sameWorker ? "one" : "worker-\(kills)") {
      kills += 1
      guard kills < 10 else { throw HarnessError("it goes on for ever") }
    }
    #expect(kills == 5)
    let letters = try DeadLetters(at: RedisAddress(redis.url)!)
    let letter = try #require(try letters.list(limit: 10).first).letter
    #expect(try letters.count() == 1 && letter.id == events[7].id)
    #expect(letter.attempts == 3 && letter.reason.contains("the worker has ended"))
    #expect(try books.count("holds") == 29)
    // The marks go after what they were for.
    try await eventually("no mark is left") { try redis.cli("HGETALL", "inventory.trials") == "" }

    try books.psql("DROP TRIGGER fatal ON holds")
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    #expect(try letters.replay(events[7].id) != nil)
    try await eventually("it is applied") { try stream.isDone() && books.count("holds") == 30 }
    #expect(try books.rows() == ExpectedRows(of: events))
  }

  /// Runs a worker until all is done, or kills it in the middle of the event.
  private func dies(
    _ redis: RedisServer, _ books: Books, _ stream: Stream, name: String
  ) async throws -> Bool {
    let worker = try startWorker(redis, books, name: name, ["--reclaim-after", "300"])
    defer { worker.stop() }
    var isInside = false
    try await eventually("all is done, or the event is being applied") {
      isInside = try books.psql("SELECT count(*) \(Self.sleeping)") == "1"
      return try isInside || stream.isDone()
    }
    guard isInside else { return false }
    worker.kill()
    // PostgreSQL would go on with what it has been sent.
    try books.psql("SELECT pg_terminate_backend(pid) \(Self.sleeping)")
    return true
  }

  @Test("an entry that nobody survives reading: its events are dead, as they stand there")
  func unread() async throws {
    let (redis, books) = (try RedisServer.start(), try Books())
    defer { redis.stop() }
    let stream = try Stream(redis)
    let entry = try stream.add(Example.created(0..<2))
    #expect(try stream.reader("gone").readNew(blockMs: 1_000).count == 1)
    // As three workers have left it behind.
    try redis.cli("HSET", "inventory.trials", entry, "1", "\(entry)/", "3")
    let worker = try startWorker(redis, books, ["--reclaim-after", "300"])
    defer { worker.stop() }
    try await eventually("all is acknowledged") { try stream.isDone() }
    let letters = try DeadLetters(at: RedisAddress(redis.url)!).list(limit: 10).map(\.letter)
    #expect(letters.map(\.id) == ["\(entry)/0", "\(entry)/1"])
    #expect(letters.map(\.bytes) == Example.created(0..<2).map { EventBytes.of($0) })
    // The marks go after what they were for.
    try await eventually("no mark is left") { try redis.cli("HGETALL", "inventory.trials") == "" }
  }
}
