import CStockProto
public import Inventory

/// Asks for a later deadline of a hold.
public struct ExtendRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = HoldReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Reservations/Extend"

  /// Which hold.
  public var holdID: String
  /// The later deadline, in milliseconds since 1970.
  public var expiresAt: Int64
  /// nil: the server's default.
  public var acknowledge: Acknowledgement?

  /// A request as the caller writes it; the server checks it.
  public init(holdID: String, expiresAt: Int64, acknowledge: Acknowledgement? = nil) {
    self.holdID = holdID
    self.expiresAt = expiresAt
    self.acknowledge = acknowledge
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__ExtendRequest()
    stock__v1__extend_request__init(&message)
    message.hold_id = arena.bytes(holdID)
    message.expires_at = expiresAt
    message.acknowledge = acknowledge.onTheWire
    buffer.append(message: &message)
  }
}

/// Asks to cancel a hold in a person's name.
public struct ReleaseRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = HoldReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Reservations/Release"

  /// Which hold.
  public var holdID: String
  /// Why.
  public var reason: String
  /// Who asks for it.
  public var actor: String
  /// nil: the server's default.
  public var acknowledge: Acknowledgement?

  /// A request as the caller writes it; the server checks it.
  public init(
    holdID: String, reason: String, actor: String, acknowledge: Acknowledgement? = nil
  ) {
    self.holdID = holdID
    self.reason = reason
    self.actor = actor
    self.acknowledge = acknowledge
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__ReleaseRequest()
    stock__v1__release_request__init(&message)
    message.hold_id = arena.bytes(holdID)
    message.reason = arena.bytes(reason)
    message.actor = arena.bytes(actor)
    message.acknowledge = acknowledge.onTheWire
    buffer.append(message: &message)
  }
}

extension OperationDecoder {
  /// Decodes an `ExtendRequest`.
  public func extend(
    _ bytes: UnsafeRawBufferPointer, arena: Arena, trace: TraceContext? = nil
  ) throws(Status) -> Asked<Operation> {
    guard let message = arena.unpack(bytes, stock__v1__extend_request__unpack) else {
      throw .malformedMessage
    }
    let id = try Self.holdID(message.pointee.hold_id)
    // A deadline that has passed is none that shortens a hold: the script answers REPEATED.
    guard let expiresAt = UInt64(exactly: message.pointee.expires_at), expiresAt > 0,
      expiresAt <= id.generation || expiresAt - id.generation <= Limits.holdLifeMsMax
    else {
      throw .invalid(
        "expires_at",
        "a time, at most \(Limits.holdLifeMsMax) milliseconds after the hold was made")
    }
    return try Asked(
      .extend(id, expiresAt: expiresAt, trace: trace), at: message.pointee.acknowledge)
  }

  /// Decodes a `ReleaseRequest`.
  public func release(
    _ bytes: UnsafeRawBufferPointer, arena: Arena, trace: TraceContext? = nil
  ) throws(Status) -> Asked<Operation> {
    guard let message = arena.unpack(bytes, stock__v1__release_request__unpack) else {
      throw .malformedMessage
    }
    let request = message.pointee
    return try Asked(
      .cancel(
        try Self.holdID(request.hold_id),
        by: Attribution(
          actor: try Self.label("actor", request.actor),
          reason: try Self.label("reason", request.reason)), trace: trace),
      at: request.acknowledge)
  }
}
