import Harness
import RPC
import Testing
import Wire

@Suite("Traces from the call to the event")
struct TraceTests {
  /// Ids whose bytes are letters, so that redis-cli shows them as they are.
  private static let letters = "abcdefghijklmnopqrstuvwx"
  private static let header = "00-6162636465666768696a6b6c6d6e6f70-7172737475767778-01"

  @Test("traceparent of the metadata stands in the event; one that is not valid is left out")
  func traceparent() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    try await shop.supply(5)
    let client = shop.client()
    func stored() throws -> Int {
      try shop.redis.cli("XREVRANGE", "inventory.events", "+", "-", "COUNT", "1")
        .split(separator: Self.letters, omittingEmptySubsequences: false).count - 1
    }
    let held = try await client.call(
      ReserveRequest.of("a"), metadata: [Metadata.traceParentKey: Self.header])
    #expect(try stored() == 1)
    _ = try await client.call(
      ConfirmRequest(holdID: held.holdID, paymentRef: "p"),
      metadata: [Metadata.traceParentKey: Self.header])
    #expect(try stored() == 2, "the reserve's and the confirm's own")
    _ = try await client.call(
      BatchReserveRequest(items: [.of("b")]), metadata: [Metadata.traceParentKey: Self.header])
    #expect(try stored() == 1)
    _ = try await client.call(
      ReserveRequest.of("c"),
      metadata: [Metadata.traceParentKey: "00-" + Self.header.dropFirst(4)])
    #expect(try stored() == 0)
    await client.close()
    shop.close()
  }
}
