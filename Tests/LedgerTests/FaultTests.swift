import Foundation
import Harness
import Inventory
import Testing

@testable import HotPath
@testable import Ledger

/// Each fault is done for real, to a worker in the middle of its work; afterwards the books hold every
/// event once, and nothing is dead.
@Suite("PostgreSQL in trouble")
struct FaultTests {
  private let redis: RedisServer
  private let stream: Stream

  init() throws {
    redis = try RedisServer.start()
    stream = try Stream(redis)
  }

  /// An order makes the transaction touch every table.
  private let events = Example.created(0..<20) + [Example.confirmed(Example.hold(3))]

  private func expectEverything(_ events: [Event], in books: Books) async throws {
    try await eventually(timeout: .seconds(20), "all is acknowledged") { try stream.isDone() }
    #expect(try books.rows() == ExpectedRows(of: events))
    #expect(try stream.length(KeySpace().deadEvents) == 0, "nothing is dead")
  }

  @Test("stopped with open sockets (SIGSTOP): noticed in the time that is set, then caught up")
  func hung() async throws {
    let postgres = try PostgresServer.start()
    defer {
      redis.stop()
      postgres.stop()
    }
    let books = try Books(in: postgres)
    let worker = try startWorker(redis, books, ["--postgres-timeout", "1000"])
    defer { worker.stop() }
    // A worker that has applied something waits for the stream, and no longer for PostgreSQL.
    try stream.add(Array(events.prefix(1)))
    try await eventually("the worker applies") { try stream.isDone() }
    postgres.pause()
    let began = ContinuousClock.now
    try stream.add(Array(events.dropFirst()))
    try await worker.waitForLog("no reply in time")
    #expect(ContinuousClock.now - began < .seconds(3))
    try await eventually("the event waits with the worker") { try stream.pending == 1 }
    postgres.resume()
    try await expectEverything(events, in: books)
  }

  @Test("a failover inside the transaction: the connection is cut before the commit")
  func failover() async throws {
    defer { redis.stop() }
    let books = try Books()
    let lock = try books.connect()
    try lock.migrate()
    try lock.execute("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
    try stream.add(events)
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    try await eventually("the worker waits inside its transaction") { try books.isWaiting() }
    let ended = try books.psql(
      """
      SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
      WHERE application_name LIKE 'stockworker%' AND datname = current_database()
      """)
    #expect(Int(ended)! > 0)
    try await worker.waitForLog("trying again")
    #expect(try books.count("processed_events") == 0)
    try lock.execute("ROLLBACK")
    try await expectEverything(events, in: books)
  }

  @Test("a serialization failure: somebody else changes the same row first")
  func serialization() async throws {
    defer { redis.stop() }
    let books = try Books()
    let ledger = try books.open()
    _ = try ledger.apply(entries([.hold(.holdCreated, Example.hold(3))]))
    let name = books.url.split(separator: "/").last!
    try books.psql("ALTER DATABASE \(name) SET default_transaction_isolation = 'serializable'")
    let other = try books.connect()
    try other.execute("BEGIN; UPDATE holds SET stream_seq = 7")
    try stream.add(events)
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    try await eventually("the worker waits for the row") { try books.isWaiting() }
    try other.execute("COMMIT")
    try await worker.waitForLog("(40001)")
    try await expectEverything(events, in: books)
  }

  @Test(
    "passing errors are tried again, and never bury",
    arguments: ["40P01", "53200", "57014", "XX000"])
  func passing(sqlState: String) async throws {
    defer { redis.stop() }
    let books = try Books()
    _ = try books.open()
    try books.psql(
      """
      CREATE SEQUENCE tries;
      CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('tries') <= 5 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '\(sqlState)'; END IF;
        RETURN NULL;
      END $$;
      CREATE TRIGGER fail AFTER INSERT ON orders EXECUTE FUNCTION fail()
      """)
    try stream.add(events)
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    try await expectEverything(events, in: books)
    #expect(worker.log.contains("not now (\(sqlState))"))
    #expect(Int(try books.psql("SELECT last_value FROM tries"))! >= 6)
  }

  @Test("a lock held for long: the worker gives up and comes back, and nobody waits behind it")
  func longLock() async throws {
    defer { redis.stop() }
    let books = try Books()
    let lock = try books.connect()
    try lock.migrate()
    try lock.execute("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
    let worker = try startWorker(redis, books, ["--postgres-timeout", "1000"])
    defer { worker.stop() }
    try stream.add(events)
    try await worker.waitForLog("lock timeout (55P03)")
    #expect(try books.count("processed_events") == 0)
    try lock.execute("ROLLBACK")
    try await expectEverything(events, in: books)
  }

  @Test(
    "its disk full: selling goes on into the stream, and the books catch up when there is room",
    .enabled(if: SmallVolume.isPossible, "needs root, and the right to mount a tmpfs"))
  func diskFull() async throws {
    let volume = try SmallVolume(bytes: 32 << 20)
    let server = try PostgresServer.shared()
    let books = try Books(at: server.createDatabase(in: volume.path), in: server)
    defer {
      redis.stop()
      try? server.dropDatabase(books.url)
      volume.remove()
    }
    _ = try books.open()
    try volume.fill(leaving: 64 * 1024)
    let worker = try startWorker(redis, books)
    defer { worker.stop() }
    let many = Example.created(0..<2_000)
    for first in stride(from: 0, to: many.count, by: 100) {
      try stream.add(Array(many[first..<first + 100]))
    }
    try await worker.waitForLog("(53100)")
    #expect(try !stream.isDone())
    volume.empty()
    try await expectEverything(many, in: books)
  }
}
