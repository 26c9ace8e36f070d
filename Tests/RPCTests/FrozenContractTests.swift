import Harness
import Inventory
import Testing
import Wire

@testable import RPC

/// Today's client and the bytes of the first server, and of one that is newer than this client.
@Suite("The first contract, frozen")
struct FrozenContractTests {
  private static let sku = "frozen-box"
  private static let nobody = "H-" + String(repeating: "0", count: 28) + "-1"

  private func client(_ server: FrozenServer) -> StockClient {
    var options = StockClient.Options()
    options.retry = .never
    return StockClient(to: Address(host: "127.0.0.1", port: server.port), options: options)
  }

  private static func reserve(_ key: String, qty: UInt64, ttlMs: UInt64) -> ReserveRequest {
    ReserveRequest(sku: sku, qty: qty, userID: "ada ☕", idempotencyKey: key, ttlMs: ttlMs)
  }

  @Test("every answer of then is understood", arguments: FrozenServer.Age.allCases)
  func answers(age: FrozenServer.Age) async throws {
    let server = try FrozenServer(age)
    let client = client(server)
    let health = try await client.call(HealthCheckRequest())
    #expect(health.status == .serving && health.version == "0.1.0" && health.warnings.isEmpty)
    #expect(try await client.call(GetStockRequest(sku: Self.sku)).outcome == .unknownSKU)
    let set = SetStockRequest(sku: Self.sku, available: 10, requestID: "set-1")
    #expect(try await client.call(set).outcome == .stockSet)
    #expect(try await client.call(set).outcome == .repeated)
    let stock = try #require(try await client.call(GetStockRequest(sku: Self.sku)).stock)
    #expect(stock.sku == Self.sku && stock.figures.available == 10)
    #expect(stock.figures.supplied == 10 && stock.figures.version == 1)
    #expect(try await client.call(AdoptStockRequest(sku: Self.sku)).outcome == .repeated)

    let request = Self.reserve("k1", qty: 2, ttlMs: 3_600_000)
    let held = try await client.call(request)
    #expect(held.outcome == .held && held.status == .active && held.available == 8)
    #expect(held.expiresAt > 1_600_000_000_000)
    let again = try await client.call(request)
    #expect(again.outcome == .repeated && again.holdID == held.holdID)
    let soldOut = try await client.call(Self.reserve("k9", qty: 100, ttlMs: 3_600_000))
    #expect(soldOut.outcome == .soldOut && soldOut.available == 8 && soldOut.holdID.isEmpty)
    let byID = try await client.call(GetHoldRequest(holdID: held.holdID))
    let byKey = try await client.call(GetHoldRequest(userID: "ada ☕", idempotencyKey: "k1"))
    #expect(byID.outcome == .found && byID == byKey)
    let hold = try #require(byID.hold)
    #expect(hold.holdID == held.holdID && hold.status == .active && hold.sku == Self.sku)
    #expect(hold.qty == 2 && hold.userID == "ada ☕" && hold.idempotencyKey == "k1")
    #expect(hold.version == 1 && hold.expiresAt == held.expiresAt && hold.orderID.isEmpty)
    #expect(hold.createdAt == hold.changedAt && hold.createdAt + 3_600_000 == hold.expiresAt)

    let confirm = ConfirmRequest(holdID: held.holdID, paymentRef: "pay-1")
    let confirmed = try await client.call(confirm)
    #expect(confirmed.outcome == .confirmed && confirmed.hold?.status == .confirmed)
    #expect(confirmed.hold?.paymentRef == "pay-1" && confirmed.hold?.orderID.count == 36)
    #expect(try await client.call(confirm).outcome == .repeated)
    let tooLate = try await client.call(CancelRequest(holdID: held.holdID))
    #expect(tooLate.outcome == .alreadyConfirmed)
    #expect(try await client.call(GetHoldRequest(holdID: Self.nobody)).outcome == .noSuchHold)
    try await lifeOfOthers(client)
    #expect(server.unanswered == 0)
    await client.close()
    server.stop()
  }

  private func lifeOfOthers(_ client: StockClient) async throws {
    let second = try await client.call(Self.reserve("k2", qty: 1, ttlMs: 900_000)).holdID
    let cancel = CancelRequest(holdID: second)
    #expect(try await client.call(cancel).outcome == .cancelled)
    #expect(try await client.call(cancel).outcome == .repeated)
    let confirmed = try await client.call(ConfirmRequest(holdID: second, paymentRef: "pay-1"))
    #expect(confirmed.outcome == .alreadyCancelled && confirmed.hold?.status == .cancelled)
    let third = try await client.call(Self.reserve("k3", qty: 1, ttlMs: 1_000)).holdID
    let late = try await client.call(ConfirmRequest(holdID: third, paymentRef: "pay-1"))
    #expect(late.outcome == .expired && late.hold?.status == .expired)
    #expect(try await client.call(CancelRequest(holdID: third)).outcome == .expired)
  }

  @Test("every failure of then keeps its code, its reason and its field")
  func failures() async throws {
    let server = try FrozenServer(.first)
    let client = client(server)
    func refused(
      _ request: some RequestMessage & Sendable, _ code: Code, _ reason: String,
      _ field: String = "", at line: SourceLocation = #_sourceLocation
    ) async {
      do throws(Status) {
        _ = try await client.call(request)
        Issue.record("it was not refused", sourceLocation: line)
      } catch {
        #expect(
          error.code == code && error.reason == reason && error.field == field,
          sourceLocation: line)
        #expect(!error.message.isEmpty && !error.outcomeUnknown, sourceLocation: line)
      }
    }
    await refused(
      SetStockRequest(sku: Self.sku, available: 11, requestID: "set-1"), .alreadyExists,
      "REQUEST_ID_REUSED", "request_id")
    await refused(
      SetStockRequest(sku: Self.sku, available: 1_000_000_000_000, requestID: "set-2"),
      .outOfRange, "TOO_MANY_UNITS", "available")
    await refused(
      Self.reserve("k1", qty: 3, ttlMs: 3_600_000), .alreadyExists, "IDEMPOTENCY_KEY_REUSED",
      "idempotency_key")
    await refused(
      Self.reserve("k4", qty: 1, ttlMs: 3_600_000), .failedPrecondition, "STOCK_MISMATCH")
    await refused(
      Self.reserve("k4", qty: 0, ttlMs: 3_600_000), .invalidArgument, "INVALID_FIELD", "qty")
    await refused(
      Self.reserve("k4", qty: 1, ttlMs: 1), .invalidArgument, "INVALID_FIELD", "ttl_ms")
    await refused(GetStockRequest(sku: "a b"), .invalidArgument, "INVALID_FIELD", "sku")
    await refused(
      ConfirmRequest(holdID: "H-1", paymentRef: "pay-1"), .invalidArgument, "INVALID_FIELD",
      "hold_id")
    await refused(DescribeRequest(), .unimplemented, "UNKNOWN_METHOD")
    #expect(server.unanswered == 0)
    await client.close()
    server.stop()
  }

  @Test("a server of the first version is asked nothing that it cannot know")
  func firstVersion() async throws {
    let server = try FrozenServer(.first)
    let client = client(server)
    _ = try await client.call(HealthCheckRequest())
    let hopeless = Task { try await client.call(GetStockRequest(sku: "never"), timeoutMs: 300) }
    try await eventually("the call is under way") { server.unanswered == 1 }
    hopeless.cancel()
    do {
      _ = try await hopeless.value
      Issue.record("nobody answered")
    } catch let status as Status {
      #expect(status.code == .deadlineExceeded && status.outcomeUnknown)
    }
    do {
      for try await _ in try await client.stream(WatchStockRequest(skus: [Self.sku])) {}
      Issue.record("it has no streams")
    } catch let status as Status {
      #expect(status.code == .unimplemented)
    }
    #expect(server.asked.first == HelloRequest.method)
    #expect(!server.asked.contains(CancelCallRequest.method))
    #expect(!server.asked.contains(CreditRequest.method))
    await client.close()
    server.stop()
  }

  @Test("today's client still says, to the byte, what the first one said")
  func requests() throws {
    let frozen = try FrozenConversation()
    func same(_ step: String, _ request: some RequestMessage) throws {
      let exchange = try #require(frozen[step], "\(step)")
      let arena = Arena()
      var message = ByteBuffer()
      var wire = ByteBuffer()
      request.encode(into: &message, arena: arena)
      RequestEnvelope.append(
        callID: exchange.callID, method: type(of: request).method, timeoutMs: exchange.timeoutMs,
        message: message, to: &wire, arena: arena)
      #expect(Array(wire.readable) == exchange.request, "\(step)")
    }
    try same("health", HealthCheckRequest())
    try same("stock", GetStockRequest(sku: Self.sku))
    try same("stock that adds up", AdoptStockRequest(sku: Self.sku))
    try same("set stock", SetStockRequest(sku: Self.sku, available: 10, requestID: "set-1"))
    try same("reserve", Self.reserve("k1", qty: 2, ttlMs: 3_600_000))
    try same("hold by key", GetHoldRequest(userID: "ada ☕", idempotencyKey: "k1"))
    try same("no such hold", GetHoldRequest(holdID: Self.nobody))
    try same("confirm no such hold", ConfirmRequest(holdID: Self.nobody, paymentRef: "pay-1"))
    try same("cancel no such hold", CancelRequest(holdID: Self.nobody))
  }
}
