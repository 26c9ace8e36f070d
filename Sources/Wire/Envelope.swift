import CStockProto

/// One call as it arrived.  Its views are valid until the arena is reset.
public struct RequestEnvelope {
  /// Chosen by the client, at least 1.
  public let callID: UInt64
  /// "stock.v1.Reservations/Reserve"
  public let method: UnsafeRawBufferPointer
  /// 0: the server's default.
  public let timeoutMs: UInt32
  /// The method's request message, encoded.
  public let message: UnsafeRawBufferPointer

  /// Decodes the payload of a frame.
  public init(_ payload: UnsafeRawBufferPointer, arena: Arena) throws(FrameError) {
    guard let request = arena.unpack(payload, stock__v1__request__unpack),
      request.pointee.call_id > 0
    else { throw .notAnEnvelope }
    callID = request.pointee.call_id
    method = request.pointee.method.view
    timeoutMs = request.pointee.timeout_ms
    message = request.pointee.message.view
  }

  /// Appends one call as a frame.
  public static func append(
    callID: UInt64, method: String, timeoutMs: UInt32, message: borrowing ByteBuffer,
    to buffer: inout ByteBuffer, arena: Arena
  ) {
    precondition(callID > 0)
    var request = Stock__V1__Request()
    stock__v1__request__init(&request)
    request.call_id = callID
    request.method = arena.bytes(method)
    request.timeout_ms = timeoutMs
    request.message = message.binary
    buffer.appendFrame(&request)
  }
}

/// One reply as it arrived.  Its views are valid until the arena is reset.
public struct ResponseEnvelope {
  /// The call that this answers.
  public let callID: UInt64
  /// The reply message, encoded, or why there is none.
  public let result: Result<UnsafeRawBufferPointer, Status>

  /// Decodes the payload of a frame.
  public init(_ payload: UnsafeRawBufferPointer, arena: Arena) throws(FrameError) {
    guard let response = arena.unpack(payload, stock__v1__response__unpack) else {
      throw .notAnEnvelope
    }
    callID = response.pointee.call_id
    let code = Code(rawValue: UInt32(response.pointee.status.rawValue)) ?? .unknown
    result =
      code == .ok ? .success(response.pointee.message.view) : .failure(Status(code, response))
  }

  /// Appends an answer whose message is in `message`.
  public static func append(
    callID: UInt64, message: borrowing ByteBuffer, to buffer: inout ByteBuffer
  ) {
    var response = Stock__V1__Response()
    stock__v1__response__init(&response)
    response.call_id = callID
    response.message = message.binary
    buffer.appendFrame(&response)
  }

  /// Appends a failure.
  public static func append(
    callID: UInt64, status: Status, to buffer: inout ByteBuffer, arena: Arena
  ) {
    var detail = Stock__V1__ErrorDetail()
    stock__v1__error_detail__init(&detail)
    detail.reason = arena.bytes(status.reason)
    detail.message = arena.bytes(status.message)
    detail.field = arena.bytes(status.field)
    detail.retryable = status.retryable ? 1 : 0
    detail.retry_after_ms = status.retryAfterMs
    detail.outcome_unknown = status.outcomeUnknown ? 1 : 0
    var response = Stock__V1__Response()
    stock__v1__response__init(&response)
    response.call_id = callID
    response.status = Stock__V1__Code(rawValue: numericCast(status.code.rawValue))
    response.detail = arena.place(detail)
    buffer.appendFrame(&response)
  }
}

extension Status {
  fileprivate init(_ code: Code, _ response: UnsafeMutablePointer<Stock__V1__Response>) {
    guard let detail = response.pointee.detail else {
      self.init(code, reason: "UNSPECIFIED", message: "The server gave no detail.")
      return
    }
    self.init(
      code, reason: detail.pointee.reason.text, message: detail.pointee.message.text,
      field: detail.pointee.field.text, retryable: detail.pointee.retryable != 0,
      retryAfterMs: detail.pointee.retry_after_ms,
      outcomeUnknown: detail.pointee.outcome_unknown != 0)
  }
}

extension ByteBuffer {
  /// The readable bytes as protobuf-c wants them.  Valid until the next append.
  var binary: ProtobufCBinaryData {
    ProtobufCBinaryData(
      len: count,
      data: UnsafeMutablePointer(
        mutating: readable.assumingMemoryBound(to: UInt8.self).baseAddress))
  }
}
