import Foundation
import Harness
import Testing
import Wire

/// However a replica takes the master's place, at most one of them sells.
@Suite("Two masters", .serialized)
struct FailoverTests {
  @Test("a master that lost its worker stops by itself, before its replica is opened")
  func cutOff() async throws {
    let sides = try await Sides.start(units: 1_000_000)
    defer { sides.stop() }
    let crowd = Crowd(sides.sides.map(\.address))
    await crowd.start()
    try await eventually("the master sells") { await crowd.held[0].count > 50 }
    // The master lives on, and its server reaches it; nobody renews its opening.
    sides.killWorker(0)
    try sides.promote()
    try sides.startWorker(1)
    try await eventually(timeout: .seconds(30), "the new master sells") {
      await crowd.held[1].count > 50
    }
    try await sides.refuses(0, because: "its opening has run out")
    await crowd.stop()
    let (old, new) = (await crowd.held[0], await crowd.held[1])
    let end = try #require(old.map(\.told).max())
    let beginning = try #require(new.map(\.asked).min())
    let first = try #require(new.first)
    #expect(end < first.told, "the old one sold last \(end - beginning) after the new one began")
    // Whoever comes back to the old one finds it closed, and why.
    try sides.startWorker(0)
    try await sides.refuses(0, because: "another Redis")
    #expect(try sides.sides[0].redis.cli("HEXISTS", "fence", "open") == "0")
  }

  @Test("a master that stood still for longer than its opening holds sells nothing when it goes on")
  func stoodStill() async throws {
    let sides = try await Sides.start(units: 20)
    defer { sides.stop() }
    for key in 0..<5 { #expect(try await sides.reserve("early \(key)", side: 0).outcome == .held) }
    try await sides.replicate()
    sides.sides[0].redis.pause()
    try sides.promote()
    try sides.startWorker(1)
    try await sides.sells(1)
    for key in 0..<15 { #expect(try await sides.reserve("new \(key)", side: 1).outcome == .held) }
    #expect(try await sides.reserve("one more", side: 1).outcome == .soldOut)
    sides.sides[0].redis.resume()
    var refusals = 0
    for key in 0..<5 {
      guard let reply = try? await sides.reserve("old \(key)", side: 0) else {
        refusals += 1
        continue
      }
      #expect(reply.outcome != .held, "sold twice")
    }
    #expect(refusals == 5, "nothing is even answered from what the old one thinks")
    try await sides.refuses(0, because: "not opened")
  }

  @Test("while the books confirm the master, no replica is opened; when it has died, one is")
  func masterStays() async throws {
    let sides = try await Sides.start(units: 100)
    defer { sides.stop() }
    try sides.promote()
    try sides.startWorker(1)
    let worker = try #require(sides.sides[1].worker)
    try await worker.waitForLog("waiting until the opening of another Redis")
    #expect(!worker.log.contains("ALARM"), "a failover is no alarm")
    try await sides.refuses(1, because: "waiting until the opening of another Redis")
    for key in 0..<5 {
      #expect(try await sides.reserve("k\(key)", side: 0).outcome == .held)
      await #expect(throws: Status.self) { try await sides.reserve("k\(key)", side: 1) }
    }
    let plan = try Program.run(
      "stockworker",
      ["--redis", sides.sides[1].redis.url, "--database", sides.database, "--rebuild"])
    #expect(plan.stdout.contains("ANOTHER Redis"), "\(plan)")
    let began = ContinuousClock.now
    sides.sides[0].redis.kill()
    // The replica left the master before these five were sold: the books know them, and it does not.
    try await worker.waitForLog("its last writes are lost", timeout: .seconds(30))
    #expect(ContinuousClock.now - began < .seconds(20))
    try await sides.refuses(1, because: "not opened")
  }

  @Test("what the old master has sold and nobody else knows stays out of the books")
  func lateEvents() async throws {
    let sides = try await Sides.start(units: 100)
    defer { sides.stop() }
    try await sides.replicate()
    sides.killWorker(0)
    // The replica misses what follows, and so do the books.
    try sides.promote()
    #expect(try await sides.reserve("unknown", side: 0).outcome == .held)
    try sides.startWorker(1)
    try await sides.sells(1)
    #expect(try await sides.reserve("known", side: 1).outcome == .held)
    try sides.startWorker(0)
    try await #require(sides.sides[0].worker).waitForLog("redis is not opened")
    try await eventually("the books have what the new master has sold") {
      try sides.sql("SELECT idempotency_key FROM holds") == "known"
    }
    try await sides.refuses(0, because: "not opened")
    #expect(try sides.sql("SELECT count(*) FROM holds") == "1")
  }

  @Test("PostgreSQL away: a shop with a replica sells until its opening ends, and again afterwards")
  func booksAway() async throws {
    let postgres = try PostgresServer.start()
    defer { postgres.stop() }
    let sides = try await Sides.start(postgres: postgres, units: 100)
    defer { sides.stop() }
    postgres.kill()
    #expect(try await sides.reserve("still", side: 0).outcome == .held)
    try await sides.refuses(0, because: "its opening has run out")
    let refusal = await #expect(throws: Status.self) { try await sides.reserve("late", side: 0) }
    #expect(refusal?.reason == "STORE_FENCED")
    try postgres.restart()
    try await sides.sells(0)
    #expect(try await sides.reserve("late", side: 0).outcome == .held)
  }

  @Test("a replica is neither sold from nor opened, be it writable, and says whose replica it is")
  func replicas() async throws {
    let sides = try await Sides.start(units: 10)
    defer { sides.stop() }
    try await sides.refuses(1, because: "a replica of 127.0.0.1:\(sides.sides[0].redis.port)")
    try sides.sides[1].redis.cli("CONFIG", "SET", "replica-read-only", "no")
    try sides.startWorker(1)
    try await #require(sides.sides[1].worker).waitForLog("it is a replica of")
    // Its master is silent for longer than it may be.
    sides.sides[0].redis.pause()
    try await eventually("the opening of the master has run out") {
      try sides.sql("SELECT lease_ends_at < clock_timestamp() FROM fence") == "t"
    }
    try await sides.refuses(1, because: "a replica of")
    await #expect(throws: Status.self) { try await sides.reserve("k", side: 1) }
    sides.sides[0].redis.resume()
    try await sides.sells(0)
    #expect(try sides.sides[0].redis.cli("GET", "stock:x") == "10")
  }

  @Test("a master that is made a replica while it sells stops at once")
  func demoted() async throws {
    let sides = try await Sides.start(units: 10)
    defer { sides.stop() }
    try sides.promote()
    let (old, new) = (sides.sides[0].redis, sides.sides[1].redis)
    try old.cli("REPLICAOF", "127.0.0.1", "\(new.port)")
    try await sides.refuses(0, because: "a replica of 127.0.0.1:\(new.port)")
    try sides.startWorker(1)
    try await sides.sells(1)
    #expect(try await sides.reserve("k", side: 1).outcome == .held)
    await #expect(throws: Status.self) { try await sides.reserve("l", side: 0) }
  }

  @Test(
    "a master that loses its replica, and its worker, sells for two seconds more, not for its lease"
  )
  func inDoubt() async throws {
    let sides = try await Sides.start(units: 1_000, leaseMs: 60_000)
    defer { sides.stop() }
    sides.killWorker(0)
    try sides.promote()
    try await sides.refuses(0, because: "its opening has run out")
    // What it sold meanwhile is lost with it; a worker that the books confirm opens it again.
    try sides.startWorker(0)
    try await sides.sells(0)
  }

  @Test("the same process, a replica in between: not open before it has been compared again")
  func roleChanges() async throws {
    let sides = try await Sides.start(units: 100)
    defer { sides.stop() }
    try sides.promote()
    // Confirmed by the books, and unknown to the other.
    for key in 0..<5 { #expect(try await sides.reserve("k\(key)", side: 0).outcome == .held) }
    try await sides.booksCaughtUp(0)
    // Nobody is left who was answered by it.
    try sides.stopServer(0)
    let (old, new) = (sides.sides[0].redis, sides.sides[1].redis)
    try old.cli("REPLICAOF", "127.0.0.1", "\(new.port)")
    try await eventually("it has what the other has") {
      try old.cli("GET", "stock:x") == "100"
    }
    try old.cli("REPLICAOF", "NO", "ONE")
    try await sides.startServer(0)
    try await #require(sides.sides[0].worker).waitForLog("its last writes are lost")
    try await sides.refuses(0, because: "its role has changed since it was opened")
    #expect(try old.cli("GET", "stock:x") == "100", "nothing was sold from the copy")
  }

  @Test("a Redis that would take writes as a replica is not sold from")
  func writableReplica() async throws {
    let sides = try await Sides.start(units: 10)
    defer { sides.stop() }
    try sides.sides[0].redis.cli("CONFIG", "SET", "replica-read-only", "no")
    try await sides.refuses(0, because: "replica-read-only no")
    try sides.sides[0].redis.cli("CONFIG", "SET", "replica-read-only", "yes")
    try await sides.sells(0)
  }
}
