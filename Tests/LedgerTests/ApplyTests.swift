import Foundation
import Inventory
import Synchronization
import Testing

@testable import Ledger

@Suite("Applying events")
struct ApplyTests {
  @Test("a history in any order, with repeats, ends in the same rows", arguments: 0..<6)
  func anyOrder(round: UInt64) throws {
    let seed = round == 0 ? UInt64.random(in: 0...UInt64.max) : round
    print("history seed \(seed)")
    var random = Seeded(seed)
    let history = History(operations: 600, random: &random)
    var delivered = history.events
    delivered += history.events.filter { _ in Bool.random(using: &random) }
    delivered.shuffle(using: &random)

    let books = try Books()
    let ledger = try books.open()
    var (applied, repeated) = (0, 0)
    while !delivered.isEmpty {
      let batch = delivered.prefix(Int.random(in: 1...120, using: &random))
      delivered.removeFirst(batch.count)
      let outcome = try ledger.apply(entries(batch))
      #expect(outcome.dead.isEmpty, "seed \(seed)")
      applied += outcome.applied
      repeated += outcome.repeated
    }
    #expect(applied == history.events.count, "seed \(seed)")
    #expect(repeated > 0, "seed \(seed)")
    #expect(try books.rows() == ExpectedRows(of: history.events), "seed \(seed)")
  }

  @Test("the movements up to a stream id add up to the figures there, whatever came when")
  func movementsAddUp() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("history seed \(seed)")
    var random = Seeded(seed)
    let history = History(operations: 1_000, random: &random)
    let books = try Books()
    let ledger = try books.open()
    var delivered = entries(history.events).shuffled(using: &random)
    delivered += delivered.prefix(200)
    while !delivered.isEmpty {
      _ = try ledger.apply(Array(delivered.prefix(77)))
      delivered.removeFirst(min(77, delivered.count))
    }
    #expect(history.checkpoints.count == 20)
    for (count, figures) in history.checkpoints {
      for (sku, figures) in figures {
        let sums = try books.figures(
          of: sku, where: "(stream_ms, stream_seq) <= (\(count), 0)")
        #expect(
          sums == "\(figures.available)|\(figures.held)|\(figures.sold)|\(figures.supplied)",
          "\(sku) after \(count) events, seed \(seed)")
      }
    }
  }

  @Test("CONFIRMED before CREATED, in one batch and in two", arguments: [true, false])
  func confirmedFirst(inOneBatch: Bool) throws {
    let created = Example.hold(1)
    let confirmed = Example.confirmed(created)
    let books = try Books()
    let ledger = try books.open()
    if inOneBatch {
      _ = try ledger.apply(entries([confirmed, .hold(.holdCreated, created)]))
    } else {
      _ = try ledger.apply(entries([confirmed]))
      _ = try ledger.apply(entries([.hold(.holdCreated, created)]))
    }
    let expected = ExpectedRows(of: [.hold(.holdCreated, created), confirmed])
    #expect(try books.rows() == expected)
    #expect(expected.orders.count == 1)
  }

  @Test("two workers with the same events at once: each takes effect once, and nobody deadlocks")
  func sameEventsAtOnce() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("history seed \(seed)")
    var random = Seeded(seed)
    let history = History(operations: 2_000, random: &random)
    let books = try Books()
    _ = try books.open()
    let totals = Mutex((applied: 0, repeated: 0, failures: [String]()))
    let orders = (0..<4).map { _ in history.events.shuffled(using: &random) }
    DispatchQueue.concurrentPerform(iterations: orders.count) { worker in
      do {
        let ledger = Ledger(in: try books.connect())
        for start in stride(from: 0, to: orders[worker].count, by: 97) {
          let outcome = try ledger.apply(entries(orders[worker][start...].prefix(97)))
          totals.withLock {
            $0.applied += outcome.applied
            $0.repeated += outcome.repeated
          }
        }
      } catch {
        totals.withLock { $0.failures.append("\(error)") }
      }
    }
    let (applied, repeated, failures) = totals.withLock { $0 }
    #expect(failures == [], "seed \(seed)")
    #expect(applied == history.events.count, "seed \(seed)")
    #expect(repeated == history.events.count * (orders.count - 1), "seed \(seed)")
    #expect(try books.rows() == ExpectedRows(of: history.events), "seed \(seed)")
  }

  @Test("events at fault are found, and all their neighbours are applied")
  func bisect() throws {
    let books = try Books()
    let ledger = try books.open()
    try books.psql(
      "ALTER TABLE holds ADD CONSTRAINT no_seven CHECK (user_id NOT IN ('user 7', 'user 33'))")
    let holds = (0..<100).map { Example.hold($0) }
    let outcome = try ledger.apply(entries(holds.map { .hold(.holdCreated, $0) }))
    #expect(outcome.dead.map(\.place).sorted() == [7, 33])
    #expect(outcome.dead.allSatisfy { $0.reason.contains("no_seven") })
    #expect(outcome.applied == 98)
    #expect(try books.count("holds") == 98)
    #expect(try books.count("processed_events") == 98)
  }

  @Test("values that no column holds are dead, not a crash")
  func outOfRange() throws {
    let ledger = try Books().open()
    var late = Example.hold(1)
    late.expiresAt = .max
    var many = Example.hold(2)
    many.version = .max
    var unbalanced = Example.stock(1)
    unbalanced.delta = .max
    var batch = entries([
      .hold(.holdCreated, late), .hold(.holdCreated, many), .stock(.stockSet, unbalanced),
      .hold(.holdCreated, Example.hold(3)),
    ])
    batch.append(Ledger.Entry(event: batch[3].event, streamMs: .max, streamSequence: 0))
    let outcome = try ledger.apply(batch)
    #expect(outcome.dead.map(\.place).sorted() == [0, 1, 2, 4])
    #expect(outcome.dead.filter { !$0.isFinal }.map(\.place) == [2], "the tables refused it")
    #expect(outcome.applied == 1)
  }

  @Test("a server that cannot take events now throws, and nothing is half applied")
  func serverAtFault() throws {
    let books = try Books()
    let ledger = try books.open()
    try books.psql("ALTER TABLE orders RENAME TO orders_away")
    let confirmed = Example.confirmed(Example.hold(1))
    #expect(throws: PostgresError.self) { try ledger.apply(entries([confirmed])) }
    #expect(try books.count("holds") == 0)
    try books.psql("ALTER TABLE orders_away RENAME TO orders")
    #expect(try ledger.apply(entries([confirmed])).applied == 1)
  }
}
