import CStockProto

/// The versions of the protocol, see `Connection/Hello`.
public enum ProtocolVersion {
  /// Calls only; the first contract.
  public static let first: UInt32 = 1
  /// Streams, cancelling, notices.
  public static let current: UInt32 = 2
}

/// What a server allows on a connection.  0 of a time: no limit.
public struct ConnectionLimits: Sendable, Hashable {
  /// Bytes of one frame's payload.
  public var frameBytesMax: UInt32 = 0
  /// Calls without an answer.
  public var callsInFlightMax: UInt32 = 0
  /// Bytes of the requests of those calls.
  public var requestBytesInFlightMax: UInt32 = 0
  /// Streams at once.
  public var streamsMax: UInt32 = 0
  /// The largest window of a stream, in bytes.
  public var windowBytesMax: UInt32 = 0
  /// A connection without calls is closed after so many milliseconds.
  public var idleMs: UInt64 = 0
  /// A connection is closed after so many milliseconds.
  public var ageMs: UInt64 = 0

  /// No limits yet.
  public init() {}
}

/// Agrees on a version of the protocol.
public struct HelloRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = HelloReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Connection/Hello"
  /// Bytes that are kept of a client's name.
  public static let clientBytesMax = 64

  /// What the client speaks.
  public var versions: ClosedRange<UInt32>
  /// "stockctl/0.1.0"
  public var client: String

  /// What this code speaks.
  public init(
    client: String, versions: ClosedRange<UInt32> = ProtocolVersion.first...ProtocolVersion.current
  ) {
    self.client = client
    self.versions = versions
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__HelloRequest()
    stock__v1__hello_request__init(&message)
    message.protocol_min = versions.lowerBound
    message.protocol_max = versions.upperBound
    message.client = arena.bytes(client)
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws(Status) {
    guard let message = arena.unpack(bytes, stock__v1__hello_request__unpack) else {
      throw .malformedMessage
    }
    let (low, high) = (message.pointee.protocol_min, message.pointee.protocol_max)
    guard low >= 1, low <= high else {
      throw .invalid("protocol_min", "at least 1 and at most protocol_max")
    }
    versions = low...high
    // It goes into a log: printable ASCII only.
    client = String(
      decoding: message.pointee.client.view.prefix(Self.clientBytesMax).filter {
        (0x20...0x7E).contains($0)
      }, as: UTF8.self)
  }
}

/// The version that both speak.
public struct HelloReply: ReplyMessage, Sendable, Hashable {
  /// Used from now on.
  public var version: UInt32
  /// "stockd/0.1.0"
  public var server: String
  /// What the server allows here.
  public var limits: ConnectionLimits

  /// A reply from its parts.
  public init(version: UInt32, server: String, limits: ConnectionLimits) {
    self.version = version
    self.server = server
    self.limits = limits
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var inner = Stock__V1__ConnectionLimits()
    stock__v1__connection_limits__init(&inner)
    inner.frame_bytes_max = limits.frameBytesMax
    inner.calls_in_flight_max = limits.callsInFlightMax
    inner.request_bytes_in_flight_max = limits.requestBytesInFlightMax
    inner.streams_max = limits.streamsMax
    inner.window_bytes_max = limits.windowBytesMax
    inner.idle_ms = limits.idleMs
    inner.age_ms = limits.ageMs
    var message = Stock__V1__HelloReply()
    stock__v1__hello_reply__init(&message)
    message.protocol = version
    message.server = arena.bytes(server)
    message.limits = arena.place(inner)
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard let message = arena.unpack(bytes, stock__v1__hello_reply__unpack) else {
      throw MessageError()
    }
    version = message.pointee.protocol
    server = message.pointee.server.text
    limits = ConnectionLimits()
    guard let inner = message.pointee.limits?.pointee else { return }
    limits.frameBytesMax = inner.frame_bytes_max
    limits.callsInFlightMax = inner.calls_in_flight_max
    limits.requestBytesInFlightMax = inner.request_bytes_in_flight_max
    limits.streamsMax = inner.streams_max
    limits.windowBytesMax = inner.window_bytes_max
    limits.idleMs = inner.idle_ms
    limits.ageMs = inner.age_ms
  }
}

/// Proves that the process at the other end still turns.
public struct PingRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = EmptyReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Connection/Ping"

  /// A request without fields.
  public init() {}

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {}
}

/// Stops a call of the same connection.
public struct CancelCallRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = CancelCallReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Connection/Cancel"

  /// Which call.
  public var callID: UInt64

  /// Names the call to stop.
  public init(callID: UInt64) { self.callID = callID }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__CancelCallRequest()
    stock__v1__cancel_call_request__init(&message)
    message.call_id = callID
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws(Status) {
    guard let message = arena.unpack(bytes, stock__v1__cancel_call_request__unpack) else {
      throw .malformedMessage
    }
    callID = message.pointee.call_id
  }
}

/// Whether the call to be stopped was still in flight.
public struct CancelCallReply: ReplyMessage, Sendable, Hashable {
  /// It had not been answered.
  public var found: Bool

  /// A reply from its part.
  public init(found: Bool) { self.found = found }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__CancelCallReply()
    stock__v1__cancel_call_reply__init(&message)
    message.found = found ? 1 : 0
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard let message = arena.unpack(bytes, stock__v1__cancel_call_reply__unpack) else {
      throw MessageError()
    }
    found = message.pointee.found != 0
  }
}

/// Lets the server send more of a stream.
public struct CreditRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = EmptyReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Connection/Credit"

  /// Which stream.
  public var callID: UInt64
  /// How much more.
  public var bytes: UInt32

  /// Grants bytes to a stream.
  public init(callID: UInt64, bytes: UInt32) {
    self.callID = callID
    self.bytes = bytes
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__CreditRequest()
    stock__v1__credit_request__init(&message)
    message.call_id = callID
    message.bytes = bytes
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws(Status) {
    guard let message = arena.unpack(bytes, stock__v1__credit_request__unpack) else {
      throw .malformedMessage
    }
    callID = message.pointee.call_id
    self.bytes = message.pointee.bytes
  }
}

/// A reply that says only that it came.
public struct EmptyReply: ReplyMessage, Sendable, Hashable {
  /// A reply without fields.
  public init() {}

  /// Appends nothing: the message has no fields.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {}

  /// Whatever the bytes are: their fields are of a newer version.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) {}
}

/// The server will close the connection.
public struct GoingAway: Sendable, Hashable {
  /// For the log, and for whoever loses calls by it.
  public var reason: String
  /// Milliseconds until it closes, whatever is in flight; 0: it has not taken the connection.
  public var closeAfterMs: UInt32

  /// The connection was closed before anything was read from it: none of its calls has happened.
  public var isRefusal: Bool { closeAfterMs == 0 }

  /// A notice from its parts.
  public init(reason: String, closeAfterMs: UInt32) {
    self.reason = reason
    self.closeAfterMs = closeAfterMs
  }

  /// Appends the message of a response whose call id is 0.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var inner = Stock__V1__GoingAway()
    stock__v1__going_away__init(&inner)
    inner.reason = arena.bytes(reason)
    inner.close_after_ms = closeAfterMs
    var notice = Stock__V1__Notice()
    stock__v1__notice__init(&notice)
    notice.going_away = arena.place(inner)
    buffer.append(message: &notice)
  }

  /// nil: a notice that this version does not know.
  public init?(notice bytes: UnsafeRawBufferPointer, arena: Arena) {
    guard let notice = arena.unpack(bytes, stock__v1__notice__unpack),
      let inner = notice.pointee.going_away
    else { return nil }
    reason = inner.pointee.reason.text
    closeAfterMs = inner.pointee.close_after_ms
  }
}
