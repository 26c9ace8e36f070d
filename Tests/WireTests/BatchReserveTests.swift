import Inventory
import Testing

@testable import Wire

@Suite("A batch of reserves on the wire")
struct BatchReserveTests {
  private func encoded(_ request: BatchReserveRequest) -> [UInt8] {
    var bytes = ByteBuffer()
    request.encode(into: &bytes, arena: Arena())
    return Array(bytes.readable)
  }

  private func decode(_ bytes: [UInt8]) throws(Status) -> [Result<Reservation, Status>] {
    let decoder = OperationDecoder()
    let result = bytes.withUnsafeBytes { raw in
      Result { () throws(Status) in try decoder.batchReserve(raw) }
    }
    return try result.get().value
  }

  private func request(_ count: Int, text: String = "k") -> BatchReserveRequest {
    BatchReserveRequest(
      items: (0..<count).map {
        ReserveRequest(sku: "x", qty: 1, userID: "u", idempotencyKey: "\(text)\($0)")
      })
  }

  @Test("items keep their order, and a bad one is named while the others stay")
  func order() throws {
    var batch = request(20)
    batch.items[17].qty = 0
    batch.items[3].userID = ""
    let items = try decode(encoded(batch))
    #expect(items.count == 20)
    for (place, item) in items.enumerated() {
      switch item {
      case .success(let reservation): #expect(reservation.key.text == "k\(place)")
      case .failure(let status):
        #expect(status.code == .invalidArgument && status.reason == "INVALID_FIELD")
        #expect(status.field == [3: "items[3].user_id", 17: "items[17].qty"][place])
      }
    }
  }

  @Test("none and too many are refused, and the limit itself is not", arguments: [0, 4_096, 4_097])
  func count(items: Int) throws {
    if items == 4_096 {
      #expect(try decode(encoded(request(items))).count == items)
    } else {
      let status = #expect(throws: Status.self) { try decode(encoded(request(items))) }
      #expect(status?.code == .invalidArgument && status?.field == "items")
    }
  }

  @Test("the longest batch fits into a frame, and so does the longest reply")
  func fits() throws {
    let long = String(repeating: "x", count: 128)
    let items = (0..<4_096).map { _ in
      ReserveRequest(
        sku: long, qty: 1_000_000, userID: long, idempotencyKey: long, ttlMs: 604_800_000)
    }
    let envelope = 256
    #expect(
      encoded(BatchReserveRequest(items: items)).count + envelope <= Frame.payloadBytesMax)
    let refusal = Status(
      .failedPrecondition, reason: "IDEMPOTENCY_KEY_REUSED", message: long + long + long + long,
      field: "items[4095].idempotency_key", retryable: true, retryAfterMs: .max,
      outcomeUnknown: true)
    var bytes = ByteBuffer()
    BatchReserveReply(results: [Result](repeating: .failure(refusal), count: 4_096))
      .encode(into: &bytes, arena: Arena())
    #expect(bytes.count + envelope <= Frame.payloadBytesMax)
    let reply = try BatchReserveReply(bytes.readable, arena: Arena())
    #expect(reply.results.count == 4_096)
    guard case .failure(let status) = reply.results[4_095] else { throw MessageError() }
    #expect(status.field == refusal.field && long.hasPrefix("x") && status.message.count == 320)
  }

  @Test("a reply says of each item what Reserve would have said")
  func reply() throws {
    let held = ReserveReply(
      outcome: .held, hold: HoldID(key: HoldKey(partition: 0, high: 1, low: 2), generation: 3),
      status: .active, expiresAt: 5, available: 3)
    let refused = Status(.alreadyExists, reason: "IDEMPOTENCY_KEY_REUSED", message: "m", field: "f")
    let reply = BatchReserveReply(
      results: [
        .success(held), .failure(refused), .success(ReserveReply(outcome: .soldOut, available: 0)),
      ])
    var bytes = ByteBuffer()
    reply.encode(into: &bytes, arena: Arena())
    #expect(try BatchReserveReply(bytes.readable, arena: Arena()).results == reply.results)
  }

  @Test(
    "what is not the message is malformed as a whole",
    arguments: [
      [0x08, 1], [0x0A, 5, 0x0A], [0x0A, 2, 0xFF, 1], [0x0A, 0x80], [0x0B], [0x0D, 1],
    ] as [[UInt8]])
  func malformed(bytes: [UInt8]) {
    #expect(throws: Status.malformedMessage) { try decode(bytes) }
  }

  @Test("fields of a newer client are ignored, but not a flood of them")
  func unknownFields() throws {
    let known = encoded(request(2))
    #expect(try decode(known + [0x20, 7, 0x1A, 1, 0]).count == 2)
    let flood = [[UInt8]](repeating: [0x20, 7], count: 1_000).flatMap { $0 }
    #expect(throws: Status.malformedMessage) { try decode(known + flood) }
    #expect(throws: Status.malformedMessage) {
      try decode([0x0A, 0xD0, 0x0F] + flood)  // 2,000 bytes of them in one item
    }
  }
}
