import Harness
import RPC
import Testing
import Wire

@Suite("Overload")
struct OverloadTests {
  @Test("while calls are refused no stream begins; when Redis is back, streams do")
  func streams() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    try await shop.supply(100)
    shop.redis.pause()
    var options = StockClient.Options()
    options.retry = .never
    let client = StockClient(to: shop.address, options: options)
    // 65,536 operations may wait: sixteen of these, and as many single ones as are at Redis, 1 to 256.
    let crowd = Task {
      await withTaskGroup { group in
        for batch in 0..<18 {
          group.addTask {
            let items = (0..<4_096).map { ReserveRequest.of("\(batch)-\($0)") }
            _ = try? await client.call(BatchReserveRequest(items: items), timeoutMs: 60_000)
          }
        }
      }
    }
    let single = GetStockRequest(sku: "x")
    try await eventually(timeout: .seconds(40), "calls are refused") {
      for _ in 0..<64 {
        let key = "\(UInt64.random(in: 1...UInt64.max))"
        Task { _ = try? await client.call(ReserveRequest.of(key), timeoutMs: 60_000) }
      }
      let refused = await outcome { () throws(Status) in
        try await client.call(single, timeoutMs: 100)
      }
      guard case .failure(let status) = refused else { return false }
      return status.reason == "OVERLOADED"
    }
    for end in [
      try await self.end(of: client.stream(FollowRequest())),
      try await self.end(of: client.stream(WatchStockRequest(skus: ["x"]))),
    ] {
      #expect(end?.reason == "OVERLOADED" && end?.code == .resourceExhausted)
      #expect(end?.retryable == true && (end?.retryAfterMs ?? 0) > 0)
    }
    shop.redis.resume()
    await crowd.value
    var watch = try await client.stream(WatchStockRequest(skus: ["x"])).makeAsyncIterator()
    #expect(try await watch.next()?.stock.sku == "x")
    await client.close()
    shop.close()
  }

  /// What a stream ended with; nil: it had an item.
  private func end<Item>(of stream: StockStream<Item>) async -> Status? {
    do {
      for try await _ in stream { break }
      return nil
    } catch {
      return error as? Status
    }
  }
}
