import CStockProto

/// One call as it arrived.  Its views are valid as long as the payload.
///
/// Read by hand, as its answer is written: protobuf-c makes a structure of every message, which was a
/// tenth of a call.
public struct RequestEnvelope {
  /// Chosen by the client, at least 1.
  public private(set) var callID: UInt64 = 0
  /// "stock.v1.Reservations/Reserve"
  public private(set) var method = UnsafeRawBufferPointer(start: nil, count: 0)
  /// 0: the server's default.
  public private(set) var timeoutMs: UInt32 = 0
  /// Streams: bytes of items that may be sent at first.  0: the server's default.
  public private(set) var windowBytes: UInt32 = 0
  /// Until when the caller waits, in milliseconds since 1970 by its clock.  0: it does not say.
  public private(set) var deadlineAt: UInt64 = 0
  /// The method's request message, encoded.
  public private(set) var message = UnsafeRawBufferPointer(start: nil, count: 0)
  /// How many headers there are: none, nearly always.
  public private(set) var metadataCount = 0
  /// Set when there are headers.
  private let request: UnsafeMutablePointer<Stock__V1__Request>?

  /// The headers, copied out.  Call before the arena is reset.
  public var metadata: Metadata {
    request.map { Metadata($0.pointee.n_metadata, $0.pointee.metadata) } ?? Metadata()
  }

  /// Decodes the payload of a frame.
  public init(_ payload: UnsafeRawBufferPointer, arena: Arena) throws(FrameError) {
    var fields = MessageFields(payload)
    var count = 0
    while let field = fields.next() {
      count += 1
      guard count <= Arena.fieldsMax else { throw .notAnEnvelope }
      switch (field.number, field.varint, field.bytes) {
      case (1, let number?, _): callID = number
      case (2, _, let bytes?): method = bytes
      case (3, let number?, _): timeoutMs = UInt32(truncatingIfNeeded: number)
      case (4, _, .some): metadataCount += 1
      case (5, _, let bytes?): message = bytes
      case (6, let number?, _): windowBytes = UInt32(truncatingIfNeeded: number)
      case (7, let number?, _): deadlineAt = number
      case (1...7, _, _): throw .notAnEnvelope
      default: break
      }
    }
    guard !fields.isMalformed, callID > 0 else { throw .notAnEnvelope }
    request =
      metadataCount == 0 ? nil : arena.unpack(payload, nested: 4, stock__v1__request__unpack)
    guard metadataCount == 0 || request != nil else { throw .notAnEnvelope }
  }

  /// Appends one call as a frame.
  public static func append(
    callID: UInt64, method: String, timeoutMs: UInt32, windowBytes: UInt32 = 0,
    deadlineAt: UInt64 = 0, metadata: Metadata = Metadata(), message: borrowing ByteBuffer,
    to buffer: inout ByteBuffer, arena: Arena
  ) {
    precondition(callID > 0)
    var request = Stock__V1__Request()
    stock__v1__request__init(&request)
    request.call_id = callID
    request.method = arena.bytes(method)
    request.timeout_ms = timeoutMs
    request.window_bytes = windowBytes
    request.deadline_at = deadlineAt
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
    appendFrame(to: &buffer) { buffer in
      if callID > 0 { buffer.append(field: 1, callID) }
      if !message.isEmpty { buffer.append(field: 4, bytes: message.readable) }
      if isItem { buffer.append(field: 6, 1) }
    }
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

  /// Appends a failure: by hand too, since a server with too many callers says little else.
  public static func append(
    callID: UInt64, status: Status, metadata: Metadata = Metadata(), to buffer: inout ByteBuffer,
    arena: Arena
  ) {
    guard metadata.entries.isEmpty else {
      var response = Stock__V1__Response()
      stock__v1__response__init(&response)
      response.call_id = callID
      response.status = Stock__V1__Code(rawValue: numericCast(status.code.rawValue))
      response.detail = arena.place(status.detail(arena))
      response.n_metadata = metadata.entries.count
      response.metadata = metadata.list(arena)
      return buffer.appendFrame(&response)
    }
    appendFrame(to: &buffer) { buffer in
      if callID > 0 { buffer.append(field: 1, callID) }
      buffer.append(field: 2, UInt64(status.code.rawValue))
      buffer.append(varint: 3 << 3 | 2)
      status.appendDetail(to: &buffer)
    }
  }

  private static func appendFrame(
    to buffer: inout ByteBuffer, _ fields: (inout ByteBuffer) -> Void
  ) {
    let start = buffer.count
    buffer.append(bigEndian: 0)
    fields(&buffer)
    let payload = buffer.count - start - Frame.headerBytes
    precondition(payload <= Frame.payloadBytesMax, "a frame that the peer would refuse")
    withUnsafeBytes(of: UInt32(payload).bigEndian) { buffer.overwrite(at: start, with: $0) }
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
