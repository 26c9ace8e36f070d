import Testing

@testable import Wire

@Suite("Frames")
struct FrameTests {
  /// Cuts `bytes` as a connection does, given in pieces.
  private func payloads(_ bytes: [UInt8], piece: Int) throws -> [[UInt8]] {
    var buffer = ByteBuffer(capacity: 1)
    var found: [[UInt8]] = []
    for start in stride(from: 0, to: bytes.count, by: piece) {
      bytes[start..<min(start + piece, bytes.count)].withUnsafeBytes { buffer.append($0) }
      while let payload = try Frame.next(in: buffer.readable) {
        found.append(Array(payload))
        buffer.consume(Frame.headerBytes + payload.count)
      }
    }
    return found
  }

  @Test("whole, byte by byte and merged frames are the same", arguments: [1, 2, 3, 7, 64, 1_000])
  func pieces(piece: Int) throws {
    let bytes: [UInt8] = [0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 1, 9]
    #expect(try payloads(bytes, piece: piece) == [[1, 2, 3], [], [9]])
  }

  @Test("a truncated frame waits for the rest")
  func truncated() throws {
    #expect(try payloads([0, 0, 0, 3, 1, 2], piece: 6).isEmpty)
    #expect(try payloads([0, 0, 0], piece: 3).isEmpty)
  }

  @Test("an oversized length is refused before its bytes have come")
  func oversized() {
    let limit = UInt32(Frame.payloadBytesMax)
    #expect(throws: FrameError.tooLong(bytes: Int(limit) + 1)) {
      try payloads(withUnsafeBytes(of: (limit + 1).bigEndian) { Array($0) }, piece: 4)
    }
    #expect(throws: FrameError.tooLong(bytes: 0xFFFF_FFFF)) {
      try payloads([0xFF, 0xFF, 0xFF, 0xFF], piece: 1)
    }
  }

  @Test("garbage and a call without an id are not an envelope")
  func garbage() {
    for bytes: [UInt8] in [[0xFF, 0xFF], [0x12, 0x50, 1], [], Array("GET / HTTP/1.1".utf8)] {
      #expect(throws: FrameError.notAnEnvelope) {
        var buffer = ByteBuffer()
        bytes.withUnsafeBytes { buffer.append($0) }
        _ = try RequestEnvelope(buffer.readable, arena: Arena())
      }
    }
  }

  @Test("a message of very many fields is refused before it costs memory")
  func manyFields() {
    // Empty metadata, two bytes each; and unknown fields.
    for field: [UInt8] in [[0x22, 0x00], [0xF8, 0x07, 0x01]] {
      var buffer = ByteBuffer()
      ([0x08, 0x01] as [UInt8]).withUnsafeBytes { buffer.append($0) }
      for _ in 0..<100_000 { field.withUnsafeBytes { buffer.append($0) } }
      #expect(throws: FrameError.notAnEnvelope) {
        var copy = ByteBuffer()
        copy.append(buffer.readable)
        _ = try RequestEnvelope(copy.readable, arena: Arena())
      }
    }
  }

  @Test("a call and its answer survive the wire")
  func envelopes() throws {
    let arena = Arena()
    var message = ByteBuffer()
    ReserveRequest(sku: "x", qty: 2, userID: "u", idempotencyKey: "k").encode(
      into: &message, arena: arena)
    var wire = ByteBuffer()
    RequestEnvelope.append(
      callID: 7, method: ReserveRequest.method, timeoutMs: 250, message: message, to: &wire,
      arena: arena)
    let request = try RequestEnvelope(try #require(try Frame.next(in: wire.readable)), arena: arena)
    #expect(request.callID == 7 && request.timeoutMs == 250)
    #expect(request.method.elementsEqual(ReserveRequest.method.utf8))
    let reservation = try OperationDecoder().reserve(request.message, arena: arena).value
    #expect(reservation.qty == 2 && reservation.sku.text == "x")

    let status = Status(
      .unavailable, reason: "R", message: "m", field: "f", retryable: true, retryAfterMs: 9,
      outcomeUnknown: true)
    var answer = ByteBuffer()
    ResponseEnvelope.append(callID: 7, status: status, to: &answer, arena: arena)
    let response = try ResponseEnvelope(
      try #require(try Frame.next(in: answer.readable)), arena: arena)
    #expect(response.callID == 7)
    #expect(throws: status) { try response.result.get() }
  }

  @Test(
    "an answer written by hand is what protobuf-c reads",
    arguments: [0, 1, 127, 128, 300, 1 << 35, UInt64.max], [0, 1, 127, 128, 20_000])
  func answers(callID: UInt64, bytes: Int) throws {
    for isItem in [false, true] {
      let arena = Arena()
      var message = ByteBuffer()
      for place in 0..<bytes {
        withUnsafeBytes(of: UInt8(truncatingIfNeeded: place)) { message.append($0) }
      }
      var wire = ByteBuffer()
      wire.append("before")
      ResponseEnvelope.append(
        callID: callID, message: message, isItem: isItem, to: &wire, arena: arena)
      wire.consume(6)
      let payload = try #require(try Frame.next(in: wire.readable))
      #expect(payload.count == wire.count - Frame.headerBytes)
      let response = try ResponseEnvelope(payload, arena: arena)
      #expect(response.callID == callID && response.isItem == isItem)
      #expect(Array(try response.result.get()) == Array(message.readable))
    }
  }
}
