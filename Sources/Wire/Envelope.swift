import CStockProto

/// One call as it arrived.  Its views are valid until the arena is reset.
public struct RequestEnvelope {
  private let request: UnsafeMutablePointer<Stock__V1__Request>

  /// Chosen by the client, at least 1.
  public var callID: UInt64 { request.pointee.call_id }
  /// "stock.v1.Reservations/Reserve"
  public var method: UnsafeRawBufferPointer { request.pointee.method.view }
  /// 0: the server's default.
  public var timeoutMs: UInt32 { request.pointee.timeout_ms }
  /// Streams: bytes of items that may be sent at first.  0: the server's default.
  public var windowBytes: UInt32 { request.pointee.window_bytes }
  /// The method's request message, encoded.
  public var message: UnsafeRawBufferPointer { request.pointee.message.view }
  /// How many headers there are: none, nearly always.
  public var metadataCount: Int { request.pointee.n_metadata }
  /// The headers, copied out.
  public var metadata: Metadata {
    Metadata(request.pointee.n_metadata, request.pointee.metadata)
  }

  /// Decodes the payload of a frame.
  public init(_ payload: UnsafeRawBufferPointer, arena: Arena) throws(FrameError) {
    guard let request = arena.unpack(payload, nested: 4, stock__v1__request__unpack),
      request.pointee.call_id > 0
    else { throw .notAnEnvelope }
    self.request = request
  }

  /// Appends one call as a frame.
  public static func append(
    callID: UInt64, method: String, timeoutMs: UInt32, windowBytes: UInt32 = 0,
    metadata: Metadata = Metadata(), message: borrowing ByteBuffer,
    to buffer: inout ByteBuffer, arena: Arena
  ) {
    precondition(callID > 0)
    var request = Stock__V1__Request()
    stock__v1__request__init(&request)
    request.call_id = callID
    request.method = arena.bytes(method)
    request.timeout_ms = timeoutMs
    request.window_bytes = windowBytes
    request.n_metadata = metadata.entries.count
    request.metadata = metadata.list(arena)
    request.message = message.binary
    buffer.appendFrame(&request)
  }
}

/// One reply as it arrived.  Its views are valid until the arena is reset.
public struct ResponseEnvelope {
  /// The call that this answers; 0: the message is a `Notice`.
  public let callID: UInt64
  /// The message, encoded, or why there is none.
  public let result: Result<UnsafeRawBufferPointer, Status>
  /// An item of a stream: the call goes on.
  public let isItem: Bool
  /// What the server says beside its answer.
  public let metadata: Metadata

  /// Decodes the payload of a frame.
  public init(_ payload: UnsafeRawBufferPointer, arena: Arena) throws(FrameError) {
    guard let response = arena.unpack(payload, stock__v1__response__unpack) else {
      throw .notAnEnvelope
    }
    callID = response.pointee.call_id
    let code = Code(rawValue: UInt32(response.pointee.status.rawValue)) ?? .unknown
    result =
      code == .ok
      ? .success(response.pointee.message.view)
      : .failure(Status(code, response.pointee.detail?.pointee))
    isItem = response.pointee.more != 0
    metadata = Metadata(response.pointee.n_metadata, response.pointee.metadata)
  }

  /// Appends an answer whose message is in `message`.
  ///
  /// Written by hand, field by field, since nearly every answer is one: protobuf-c walks the message
  /// twice through its descriptor, a tenth of a call.
  public static func append(
    callID: UInt64, message: borrowing ByteBuffer, isItem: Bool = false,
    metadata: Metadata = Metadata(), to buffer: inout ByteBuffer, arena: Arena
  ) {
    guard metadata.entries.isEmpty else {
      return append(callID, message, isItem, metadata, &buffer, arena)
    }
    let start = buffer.count
    buffer.append(bigEndian: 0)
    if callID > 0 { buffer.append(field: 1, callID) }
    if !message.isEmpty {
      buffer.append(varint: 4 << 3 | 2)
      buffer.append(varint: UInt64(message.count))
      buffer.append(message.readable)
    }
    if isItem { buffer.append(field: 6, 1) }
    let payload = buffer.count - start - Frame.headerBytes
    precondition(payload <= Frame.payloadBytesMax, "a frame that the peer would refuse")
    withUnsafeBytes(of: UInt32(payload).bigEndian) { buffer.overwrite(at: start, with: $0) }
  }

  private static func append(
    _ callID: UInt64, _ message: borrowing ByteBuffer, _ isItem: Bool, _ metadata: Metadata,
    _ buffer: inout ByteBuffer, _ arena: Arena
  ) {
    var response = Stock__V1__Response()
    stock__v1__response__init(&response)
    response.call_id = callID
    response.message = message.binary
    response.more = isItem ? 1 : 0
    response.n_metadata = metadata.entries.count
    response.metadata = metadata.list(arena)
    buffer.appendFrame(&response)
  }

  /// Appends a failure.
  public static func append(
    callID: UInt64, status: Status, metadata: Metadata = Metadata(), to buffer: inout ByteBuffer,
    arena: Arena
  ) {
    var response = Stock__V1__Response()
    stock__v1__response__init(&response)
    response.call_id = callID
    response.status = Stock__V1__Code(rawValue: numericCast(status.code.rawValue))
    response.detail = arena.place(status.detail(arena))
    response.n_metadata = metadata.entries.count
    response.metadata = metadata.list(arena)
    buffer.appendFrame(&response)
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
