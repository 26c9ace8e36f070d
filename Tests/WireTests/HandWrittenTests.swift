import CStockProto
import Inventory
import Testing

@testable import Wire

/// What is read and written by hand, against protobuf-c, which reads and writes everything else.
@Suite("Read and written by hand")
struct HandWrittenTests {
  private let arena = Arena()
  private static let long = String(repeating: "k", count: 128)
  /// Where the length of a number changes, on both sides.
  private static let numbers: [UInt64] = [
    0, 1, 127, 128, 16_383, 16_384, 1_000_000, 1_000_000_000_000, .max,
  ]

  private func written(_ append: (inout ByteBuffer) -> Void) -> [UInt8] {
    var buffer = ByteBuffer(capacity: 1)
    append(&buffer)
    return Array(buffer.readable)
  }

  @Test(
    "the first part of an event is what protobuf-c writes", arguments: numbers.filter { $0 > 0 })
  func event(qty: UInt64) throws {
    let trace = TraceContext(traceHigh: 1, traceLow: 2, parent: 3, flags: 1)
    for (sku, text, traced) in [("x", "u", false), (Self.long, Self.long, true)] {
      let reservation = Reservation.of(
        hold: HoldKey(partition: 7, high: 1, low: .max), sku: try #require(SKU(sku)), qty: qty,
        user: try #require(Label(text)), key: try #require(Label(text)),
        ttlMs: 1_000, requestedTTLMs: 0, trace: traced ? trace : nil)
      var line = Stock__V1__HoldLine()
      stock__v1__hold_line__init(&line)
      line.qty = qty
      line.sku = arena.bytes(sku)
      var event = Stock__V1__HoldEvent()
      stock__v1__hold_event__init(&event)
      event.hold = arena.bytes(reservation.hold.description)
      event.user_id = arena.bytes(text)
      event.idempotency_key = arena.bytes(text)
      event.trace = arena.bytes(reservation.trace?.binary ?? [])
      event.n_lines = 1
      event.lines = arena.list([arena.place(line)])
      let byHand = written { reservation.appendEvent(to: &$0) }
      #expect(byHand == written { $0.append(message: &event) })
    }
  }

  @Test("a reply to a reserve is what protobuf-c writes", arguments: numbers)
  func reply(available: UInt64) throws {
    let id = HoldID(key: HoldKey(partition: 7, high: available, low: .max), generation: available)
    let replies = [
      ReserveReply(outcome: .soldOut, available: available),
      ReserveReply(
        outcome: .held, hold: id, status: .active, expiresAt: Int64(clamping: available),
        available: available, acknowledged: .ledger),
      ReserveReply(outcome: .repeated, hold: id, expiresAt: -1, available: available),
    ]
    for reply in replies {
      var message = reply.message(arena)
      let byHand = written { reply.encode(into: &$0, arena: arena) }
      #expect(byHand == written { $0.append(message: &message) })
      // As a client has it: the id told, not made.
      let told = try byHand.withUnsafeBytes { try ReserveReply($0, arena: arena) }
      #expect(told == reply && told.holdID == reply.holdID)
      #expect(byHand == written { told.encode(into: &$0, arena: arena) })
    }
    let failure = Status(.alreadyExists, reason: "R", message: Self.long, field: "items[3].qty")
    let results = replies.map { Result<ReserveReply, Status>.success($0) } + [.failure(failure)]
    var message = Stock__V1__BatchReserveReply()
    stock__v1__batch_reserve_reply__init(&message)
    message.n_results = results.count
    message.results = arena.list(
      results.map { result -> UnsafeMutablePointer<Stock__V1__ReserveResult>? in
        var one = Stock__V1__ReserveResult()
        stock__v1__reserve_result__init(&one)
        switch result {
        case .success(let reply): one.reply = arena.place(reply.message(arena))
        case .failure(let status):
          one.status = Stock__V1__Code(rawValue: numericCast(status.code.rawValue))
          one.detail = arena.place(status.detail(arena))
        }
        return arena.place(one)
      })
    let byHand = written { BatchReserveReply(results: results).encode(into: &$0, arena: arena) }
    #expect(byHand == written { $0.append(message: &message) })
  }

  @Test("an answer and a failure are framed as protobuf-c does", arguments: numbers)
  func response(number: UInt64) {
    var message = ByteBuffer()
    message.append(Self.long + Self.long)
    let wait = UInt32(truncatingIfNeeded: number)
    let failures = [
      Status(
        .resourceExhausted, reason: "R", message: Self.long, retryable: true, retryAfterMs: wait),
      Status(.internal, reason: "", message: "", field: Self.long, outcomeUnknown: true),
    ]
    for status in failures {
      var response = Stock__V1__Response()
      stock__v1__response__init(&response)
      response.call_id = number
      response.status = Stock__V1__Code(rawValue: numericCast(status.code.rawValue))
      response.detail = arena.place(status.detail(arena))
      let byHand = written {
        ResponseEnvelope.append(callID: number, status: status, to: &$0, arena: arena)
      }
      #expect(byHand == written { $0.appendFrame(&response) })
    }
    for isItem in [false, true] {
      var response = Stock__V1__Response()
      stock__v1__response__init(&response)
      response.call_id = number
      response.message = message.binary
      response.more = isItem ? 1 : 0
      var byHand = ByteBuffer()
      ResponseEnvelope.append(
        callID: number, message: message, isItem: isItem, to: &byHand, arena: arena)
      #expect(Array(byHand.readable) == written { $0.appendFrame(&response) })
    }
  }

  @Test("how the server is, as protobuf-c writes it", arguments: [0, 1, 3])
  func health(warnings: Int) {
    let reply = HealthCheckReply(
      status: warnings == 0 ? .serving : .notServing,
      warnings: [String](repeating: Self.long + Self.long, count: warnings), version: "1.0")
    var message = Stock__V1__HealthCheckReply()
    stock__v1__health_check_reply__init(&message)
    message.status = Stock__V1__ServingStatus(rawValue: numericCast(reply.status?.rawValue ?? 0))
    message.n_warnings = warnings
    message.warnings = arena.list(reply.warnings.map { arena.bytes($0) })
    message.version = arena.bytes(reply.version)
    let byHand = written { reply.encode(into: &$0, arena: arena) }
    #expect(byHand == written { $0.append(message: &message) })
  }

  @Test(
    "a request to reserve and its envelope are read as protobuf-c writes them", arguments: numbers)
  func request(number: UInt64) throws {
    let request = ReserveRequest(
      sku: "sku", qty: number, userID: Self.long, idempotencyKey: "k", ttlMs: number,
      acknowledge: .fsync)
    var message = ByteBuffer()
    request.encode(into: &message, arena: arena)
    for metadata in [Metadata(), ["traceparent": "00", "x": Self.long]] {
      let frame = written { frame in
        RequestEnvelope.append(
          callID: max(number, 1), method: "m", timeoutMs: UInt32(truncatingIfNeeded: number),
          windowBytes: 300, deadlineAt: number, metadata: metadata, message: message, to: &frame,
          arena: arena)
      }
      try frame.withUnsafeBytes { frame in
        let payload = UnsafeRawBufferPointer(rebasing: frame[Frame.headerBytes...])
        let envelope = try RequestEnvelope(payload, arena: arena)
        #expect(envelope.callID == max(number, 1))
        #expect(envelope.method.elementsEqual("m".utf8))
        #expect(envelope.timeoutMs == UInt32(truncatingIfNeeded: number))
        #expect(envelope.windowBytes == 300 && envelope.deadlineAt == number)
        #expect(envelope.metadata == metadata)
        let fields = try ReserveFields(envelope.message)
        #expect(fields.sku.elementsEqual("sku".utf8) && fields.user.elementsEqual(Self.long.utf8))
        #expect(fields.key.elementsEqual("k".utf8))
        #expect(fields.qty == number && fields.ttlMs == number)
        #expect(fields.acknowledge.rawValue == 2)
      }
    }
  }

  @Test(
    "a field of another type, a field 0, a tag of more than 32 bits and a cut one are refused",
    arguments: [
      [0x0A, 0x01, 0x31], [0x10, 0x01], [0x1D, 0, 0, 0, 0], [0x02, 0x00], [0x0B],
      [0xF8, 0xFF, 0xFF, 0xFF, 0x7F, 0x01], [0x12, 0x05, 0x31], [0x2A, 0xFF], [0x39, 0, 0, 0],
      [0x3A, 0x00],
      [0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
    ] as [[UInt8]])
  func refused(bytes: [UInt8]) {
    // In front of what would be an envelope, and behind it.
    for bytes in [bytes + [0x08, 0x01], [0x08, 0x01] + bytes] {
      #expect(throws: FrameError.notAnEnvelope) {
        try bytes.withUnsafeBytes { _ = try RequestEnvelope($0, arena: arena) }
      }
    }
  }

  @Test("unknown fields of every type are passed over, and the last of a field counts")
  func unknown() throws {
    let bytes: [UInt8] = [
      0x78, 0x05, 0x7A, 0x01, 0x00, 0x79, 0, 0, 0, 0, 0, 0, 0, 0, 0x7D, 0, 0, 0, 0,  // field 15
      0x10, 0x02, 0x10, 0x03,  // qty, twice
    ]
    #expect(try bytes.withUnsafeBytes { try ReserveFields($0).qty } == 3)
    let flood = [UInt8](repeating: 0x78, count: 2 * (Arena.fieldsMax + 1))
    #expect(throws: Status.malformedMessage) {
      try flood.withUnsafeBytes { _ = try ReserveFields($0) }
    }
  }
}
