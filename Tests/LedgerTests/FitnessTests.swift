import Harness
import Testing

@testable import Ledger
@testable import Projection

/// Whether the books can be kept over a connection, and whether a thread moves.
@Suite("Fitness of a database")
struct FitnessTests {
  @Test("another session's statements or settings are those of a pooler, and are called that")
  func pooled() throws {
    let books = try Books()
    let connection = try books.connect()
    try connection.migrate()
    _ = try connection.bookedEpoch()
    try connection.execute("DEALLOCATE ALL")
    #expect(throws: PostgresError.unfit(Fitness.pooled)) { try connection.bookedEpoch() }
    try connection.checkFitness()
    try connection.execute("SET stockstream.session = 'another'")
    #expect(throws: PostgresError.unfit(Fitness.pooled)) { try connection.checkFitness() }
  }

  @Test("a session that is read-only, also one that was not when it began")
  func readOnly() throws {
    let connection = try Books().connect()
    try connection.checkFitness()
    try connection.execute("SET default_transaction_read_only = on")
    #expect(throws: PostgresError.unfit(Fitness.readOnly)) { try connection.checkFitness() }
    #expect(throws: PostgresError.unfit(Fitness.readOnly)) { try connection.migrate() }
  }

  @Test("a thread that is not heard is late; not one that waits, nor one that has ended")
  func pulse() {
    let pulse = Pulse()
    let second: UInt64 = 1_000_000_000
    pulse.beat(of: "lane 1", at: second)
    pulse.beat(of: "lane 2", waitMs: 30_000, at: second)
    pulse.beat(of: "watch", at: second)
    pulse.end(of: "watch")
    #expect(pulse.late(at: 60 * second).isEmpty)
    #expect(pulse.late(at: 62 * second) == ["lane 1"])
    #expect(pulse.late(at: 92 * second) == ["lane 1", "lane 2"])
    pulse.beat(of: "lane 1", at: 92 * second)
    #expect(pulse.late(at: 93 * second) == ["lane 2"])
  }
}
