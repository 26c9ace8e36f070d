import Foundation
import Harness
import Inventory
import RPC
import Testing
import Wire

/// How a first version of such a system fails, each as a test over real connections.
@Suite("Traps")
struct TrapTests {
  @Test("200 buyers at once for 10 units: the check is not apart from the decrement")
  func oversell() async throws {
    let shop = try await Shop.open()
    try await shop.supply(10)
    let outcomes = try await withThrowingTaskGroup(of: Outcome?.self) { group in
      for buyer in 0..<200 {
        group.addTask {
          let client = shop.client()
          let reply = try await client.call(
            ReserveRequest.of("k", user: "buyer-\(buyer)"), timeoutMs: 20_000)
          await client.close()
          return reply.outcome
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes.filter { $0 == .held }.count == 10)
    #expect(outcomes.filter { $0 == .soldOut }.count == 190)
    let figures = try await shop.stock().figures
    #expect(figures.available == 0 && figures.held == 10)
    shop.close()
  }

  @Test("five calls at once with one key: one hold, one unit")
  func oneKeyAtOnce() async throws {
    let shop = try await Shop.open()
    try await shop.supply(10)
    let replies = try await withThrowingTaskGroup(of: ReserveReply.self) { group in
      for _ in 0..<5 {
        group.addTask {
          let client = shop.client()
          let reply = try await client.call(ReserveRequest.of("one"))
          await client.close()
          return reply
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(Set(replies.map(\.holdID)).count == 1)
    #expect(replies.filter { $0.outcome == .held }.count == 1)
    #expect(replies.filter { $0.outcome == .repeated }.count == 4)
    #expect(try await shop.stock().figures.available == 9)
    #expect(try shop.events("HOLD_CREATED") == 1)
    shop.close()
  }

  @Test("a key belongs to its user and its request; a repeat carries the deadline")
  func keyScope() async throws {
    let shop = try await Shop.open()
    try await shop.supply(10)
    let client = shop.client()
    let first = try await client.call(ReserveRequest.of("k", ttlMs: 60_000))
    let again = try await client.call(ReserveRequest.of("k", ttlMs: 60_000))
    #expect(again.holdID == first.holdID && again.expiresAt == first.expiresAt)
    #expect(again.expiresAt > 0 && again.status == .active)
    let other = try await client.call(ReserveRequest.of("k", user: "v", ttlMs: 60_000))
    #expect(other.outcome == .held && other.holdID != first.holdID)
    for changed in [
      ReserveRequest.of("k", qty: 2, ttlMs: 60_000),
      ReserveRequest.of("k", sku: "y", ttlMs: 60_000),
      ReserveRequest.of("k", ttlMs: 61_000),
    ] {
      let refused = await outcome { () throws(Status) in try await client.call(changed) }
      #expect(
        { if case .failure(let s) = refused { s.reason } else { "" } }() == "IDEMPOTENCY_KEY_REUSED"
      )
    }
    #expect(try await shop.stock().figures.available == 8)
    await client.close()
    shop.close()
  }

  @Test("a hold that never existed cannot be confirmed or cancelled")
  func noSuchHold() async throws {
    let shop = try await Shop.open()
    let client = shop.client()
    let id = "H-0000000000000000000000000000-1"
    #expect(
      try await client.call(ConfirmRequest(holdID: id, paymentRef: "p")).outcome == .noSuchHold)
    #expect(try await client.call(CancelRequest(holdID: id)).outcome == .noSuchHold)
    #expect(try shop.events("HOLD_CONFIRMED") == 0)
    await client.close()
    shop.close()
  }

  @Test("a confirm without a payment reference is refused by name, and changes nothing")
  func paymentRefRequired() async throws {
    let shop = try await Shop.open()
    try await shop.supply(1)
    let client = shop.client()
    let hold = try await client.call(ReserveRequest.of("k")).holdID
    let refused = await outcome { () throws(Status) in
      try await client.call(ConfirmRequest(holdID: hold, paymentRef: ""))
    }
    guard case .failure(let status) = refused else { throw HarnessError("it was accepted") }
    #expect(status.code == .invalidArgument && status.field == "payment_ref")
    #expect(try await client.call(GetHoldRequest(holdID: hold)).hold?.status == .active)
    await client.close()
    shop.close()
  }

  @Test("cancel gives the units back, to the SKU that they came from")
  func cancelReturnsStock() async throws {
    let shop = try await Shop.open()
    try await shop.supply(9)
    let client = shop.client()
    let hold = try await client.call(ReserveRequest.of("k", qty: 3)).holdID
    #expect(try shop.redis.cli("GET", "stock:x") == "6")
    #expect(try await client.call(CancelRequest(holdID: hold)).outcome == .cancelled)
    #expect(try shop.redis.cli("GET", "stock:x") == "9")
    let keys = try shop.redis.cli("KEYS", "*").split(separator: "\n").sorted()
    #expect(
      keys.filter { !$0.hasPrefix("hold:") && !$0.hasPrefix("request:") } == [
        "fence", "holds.expiry", "inventory.events", "sku:x", "skus", "stock:x",
      ], "no junk keys")
    await client.close()
    shop.close()
  }

  @Test("two cancels at once release the units once")
  func cancelTwiceAtOnce() async throws {
    let shop = try await Shop.open()
    try await shop.supply(9)
    let (one, two) = (shop.client(), shop.client())
    for round in 0..<20 {
      let hold = try await one.call(ReserveRequest.of("k\(round)", qty: 3)).holdID
      async let first = one.call(CancelRequest(holdID: hold))
      async let second = two.call(CancelRequest(holdID: hold))
      let outcomes = try await [first.outcome, second.outcome]
      #expect(Set(outcomes) == [.cancelled, .repeated])
    }
    #expect(try await shop.stock().figures.available == 9)
    #expect(try shop.events("HOLD_CANCELLED") == 20)
    await one.close()
    await two.close()
    shop.close()
  }

  @Test("confirm, cancel and expiry of one hold at once: exactly one wins, stock moves once")
  func oneWinner() async throws {
    let shop = try await Shop.open()
    let rounds = 20
    try await shop.supply(UInt64(rounds))
    let (one, two) = (shop.client(), shop.client())
    var holds: [(id: String, expiresAt: Int64)] = []
    for round in 0..<rounds {
      let reply = try await one.call(ReserveRequest.of("k\(round)", ttlMs: 1_000))
      holds.append((reply.holdID, reply.expiresAt))
    }
    // Some rounds well before the deadline, some around it, so that each of the three wins some.
    for (round, hold) in holds.enumerated() {
      if round == rounds / 3 {
        try await eventually("the first deadline is near") {
          Date().timeIntervalSince1970 * 1_000 > Double(holds[round].expiresAt) - 10
        }
      }
      async let confirmed = one.call(ConfirmRequest(holdID: hold.id, paymentRef: "p"))
      async let cancelled = two.call(CancelRequest(holdID: hold.id))
      _ = try await (confirmed, cancelled)
    }
    try await eventually("every hold has ended") { try await shop.stock().figures.held == 0 }
    var confirmed: UInt64 = 0
    for hold in holds {
      let view = try #require(try await one.call(GetHoldRequest(holdID: hold.id)).hold)
      #expect(view.status != .active && view.version == 2, "one change, and only one")
      if view.status == .confirmed { confirmed += 1 }
    }
    let figures = try await shop.stock().figures
    #expect(figures.sold == confirmed && figures.available == UInt64(rounds) - confirmed)
    let ended =
      try shop.events("HOLD_CONFIRMED") + shop.events("HOLD_CANCELLED")
      + shop.events("HOLD_EXPIRED")
    #expect(ended == rounds)
    await one.close()
    await two.close()
    shop.close()
  }

  @Test("expiry gives the stock back within a second of the deadline, with its event")
  func expiry() async throws {
    let shop = try await Shop.open()
    try await shop.supply(5)
    let client = shop.client()
    let reply = try await client.call(ReserveRequest.of("k", qty: 2, ttlMs: 1_000))
    try await eventually("the stock is back") { try shop.redis.cli("GET", "stock:x") == "5" }
    // By Redis's clock on both sides, so that a busy machine is not blamed on the sweep.
    let hold = try #require(try await client.call(GetHoldRequest(holdID: reply.holdID)).hold)
    let late = hold.changedAt - reply.expiresAt
    #expect(hold.status == .expired && late >= 0 && late < 1_000, "\(late) ms")
    #expect(try shop.events("HOLD_EXPIRED") == 1)
    #expect(
      try await client.call(ConfirmRequest(holdID: reply.holdID, paymentRef: "p")).outcome
        == .expired)
    await client.close()
    shop.close()
  }

  @Test("state and event change together, also when Redis is killed in the middle of a crowd")
  func noStateWithoutEvent() async throws {
    let shop = try await Shop.open()
    try await shop.supply(1_000_000)
    let crowd = Crowd(shop, buyers: 8)
    await crowd.start()
    try await eventually("the crowd buys") { await crowd.held.count > 500 }
    shop.redis.kill()
    try shop.redis.restart()
    try await shop.ready()
    await crowd.stop()
    let figures = try await shop.stock().figures
    #expect(try UInt64(shop.events("HOLD_CREATED")) == figures.held)
    #expect(figures.balance)
    shop.close()
  }

  @Test("no event is dropped by length: 25,000 holds with nobody reading are 25,000 events")
  func noTrimmingByLength() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    try await shop.supply(25_000)
    let client = shop.client()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for lane in 0..<50 {
        group.addTask {
          for place in 0..<500 {
            let reply = try await client.call(
              ReserveRequest.of("k-\(lane)-\(place)"), timeoutMs: 20_000)
            if reply.outcome != .held { throw HarnessError("\(reply)") }
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(try shop.events("HOLD_CREATED") == 25_000)
    await client.close()
    shop.close()
  }

  @Test("stock that is not a number holds nothing", arguments: ["many", "-3", "2.5", "NaN"])
  func stockThatIsNoNumber(text: String) async throws {
    let shop = try await Shop.open()
    _ = try shop.redis.cli("SET", "stock:x", text)
    try await shop.supply(1, of: "y")
    let client = shop.client()
    let refused = await outcome { () throws(Status) in
      try await client.call(ReserveRequest.of("k"))
    }
    guard case .failure(let status) = refused else { throw HarnessError("it was held") }
    #expect(status.code == .failedPrecondition && status.reason == "STOCK_MISMATCH")
    #expect(try shop.redis.cli("GET", "stock:x") == text)
    let neighbour = try await client.call(ReserveRequest.of("k2", sku: "y"))
    #expect(neighbour.outcome == .held, "that SKU alone")
    await client.close()
    shop.close()
  }
}
