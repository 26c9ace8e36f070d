import Harness
import Inventory
import RPC
import Testing
import Wire

@Suite("BatchReserve")
struct BatchReserveTests {
  private func batch(_ count: Int, _ name: String = "k") -> BatchReserveRequest {
    BatchReserveRequest(items: (0..<count).map { ReserveRequest.of("\(name)-\($0)") })
  }

  private func outcomes(_ reply: BatchReserveReply) throws -> [Outcome?] {
    try reply.results.map { try $0.get().outcome }
  }

  @Test("4,096 for 1,000 units: exactly 1,000 are held, in order; again: the same holds")
  func soldOut() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    try await shop.supply(1_000)
    let client = shop.client()
    let first = try await client.call(batch(4_096), timeoutMs: 20_000)
    let expected =
      [Outcome?](repeating: .held, count: 1_000) + [Outcome?](repeating: .soldOut, count: 3_096)
    #expect(try outcomes(first) == expected)
    let again = try await client.call(batch(4_096), timeoutMs: 20_000)
    #expect(try outcomes(again).filter { $0 == .repeated }.count == 1_000)
    #expect(
      try again.results.map { try $0.get().holdID } == first.results.map { try $0.get().holdID })
    let figures = try await shop.stock().figures
    #expect(figures.available == 0 && figures.held == 1_000)
    #expect(try shop.events("HOLD_CREATED") == 1_000)
    await client.close()
    shop.close()
  }

  @Test("bad items, a reused key and a key twice: each its own answer, the others are held")
  func mixed() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    try await shop.supply(10)
    let client = shop.client()
    _ = try await client.call(ReserveRequest.of("used", qty: 2))
    let reply = try await client.call(
      BatchReserveRequest(items: [
        .of("a"), .of("b", qty: 0), .of("used", qty: 3), .of("a"), .of("c", sku: "nobody's"),
        .of("d", sku: "unknown"), .of("e"),
      ]))
    let said = reply.results.map { result in
      switch result {
      case .success(let reply): reply.outcome?.name ?? "?"
      case .failure(let status): "\(status.reason) \(status.field)"
      }
    }
    #expect(
      said == [
        "HELD", "INVALID_FIELD items[1].qty", "IDEMPOTENCY_KEY_REUSED items[2].idempotency_key",
        "REPEATED", "INVALID_FIELD items[4].sku", "UNKNOWN_SKU", "HELD",
      ])
    let bad = try await client.call(BatchReserveRequest(items: [.of("b", qty: 0)]))
    #expect(bad.results.count == 1, "a batch of nothing but bad items is answered too")
    let empty = await outcome { () throws(Status) in
      try await client.call(BatchReserveRequest(items: []))
    }
    guard case .failure(let status) = empty else { throw HarnessError("it was accepted") }
    #expect(status.code == .invalidArgument && status.field == "items")
    #expect(try await shop.stock().figures.available == 6)
    await client.close()
    shop.close()
  }

  @Test("Redis is killed in the middle: repeating the batch settles every item, each once")
  func killed() async throws {
    let shop = try await Shop.open()
    try await shop.supply(10_000)
    let client = shop.client()
    async let first = outcome { () throws(Status) in
      try await client.call(batch(4_096), timeoutMs: 20_000)
    }
    try await eventually("some are held") { try shop.events("HOLD_CREATED") > 0 }
    shop.redis.kill()
    try shop.redis.restart()
    _ = await first
    try await shop.ready()
    let again = try outcomes(try await client.call(batch(4_096), timeoutMs: 20_000))
    #expect(again.allSatisfy { $0 == .held || $0 == .repeated })
    let figures = try await shop.stock().figures
    #expect(figures.held == 4_096 && figures.available == 5_904)
    #expect(try shop.events("HOLD_CREATED") == 4_096)
    await client.close()
    shop.close()
  }
}
