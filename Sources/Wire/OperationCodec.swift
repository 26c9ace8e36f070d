import CStockProto
public import Inventory

/// Decodes the requests of the sale into operations.  What comes out is valid; what is not names its
/// field in the `Status` that is thrown.
public struct OperationDecoder {
  private let identity = Identity()
  private let holdMsDefault: UInt64
  /// For one item of a batch after the other.
  let itemArena = Arena()

  /// - Parameter holdMsDefault: the life of a hold whose caller names none, in milliseconds.
  public init(holdMsDefault: UInt64 = Limits.holdMsDefault) { self.holdMsDefault = holdMsDefault }

  /// The id of the order that a hold becomes.
  public func order(of hold: HoldID) -> String { identity.order(of: hold) }

  /// Decodes a `ReserveRequest`.
  public func reserve(
    _ bytes: UnsafeRawBufferPointer, arena: Arena, trace: TraceContext? = nil
  ) throws(Status) -> Asked<Reservation> {
    let fields = try ReserveFields(bytes)
    return try Asked(try reservation(fields, trace), at: fields.acknowledge)
  }

  private func reservation(
    _ request: ReserveFields, _ trace: TraceContext?
  ) throws(Status) -> Reservation {
    guard SKU.allows(request.sku) else { throw .invalidSKU }
    guard (1...Limits.holdUnitsMax).contains(request.qty) else {
      throw .invalid("qty", "1 to \(Limits.holdUnitsMax) units")
    }
    guard Label.allows(asked: request.user) else { throw .invalidLabel("user_id") }
    guard Label.allows(asked: request.key) else { throw .invalidLabel("idempotency_key") }
    guard request.ttlMs == 0 || (Limits.holdMsMin...Limits.holdMsMax).contains(request.ttlMs)
    else {
      throw .invalid(
        "ttl_ms", "\(Limits.holdMsMin) to \(Limits.holdMsMax) milliseconds, or 0 for the default")
    }
    return Reservation(
      hold: identity.hold(user: request.user, key: request.key),
      (request.sku, request.user, request.key), qty: request.qty,
      ttlMs: request.ttlMs == 0 ? holdMsDefault : request.ttlMs, requestedTTLMs: request.ttlMs,
      trace: trace)
  }

  /// Decodes a `ConfirmRequest`.
  public func confirm(
    _ bytes: UnsafeRawBufferPointer, arena: Arena, trace: TraceContext? = nil
  ) throws(Status) -> Asked<Operation> {
    guard let message = arena.unpack(bytes, stock__v1__confirm_request__unpack) else {
      throw .malformedMessage
    }
    return try Asked(
      .confirm(
        try Self.holdID(message.pointee.hold_id),
        paymentRef: try Self.label("payment_ref", message.pointee.payment_ref), trace: trace),
      at: message.pointee.acknowledge)
  }

  /// Decodes a `CancelRequest`.
  public func cancel(
    _ bytes: UnsafeRawBufferPointer, arena: Arena, trace: TraceContext? = nil
  ) throws(Status) -> Asked<Operation> {
    guard let message = arena.unpack(bytes, stock__v1__cancel_request__unpack) else {
      throw .malformedMessage
    }
    return try Asked(
      .cancel(try Self.holdID(message.pointee.hold_id), trace: trace),
      at: message.pointee.acknowledge)
  }

  /// Decodes a `GetHoldRequest`.
  public func getHold(
    _ bytes: UnsafeRawBufferPointer, arena: Arena
  ) throws(Status) -> Operation {
    guard let message = arena.unpack(bytes, stock__v1__get_hold_request__unpack) else {
      throw .malformedMessage
    }
    let request = message.pointee
    if request.hold_id.len > 0 {
      guard request.user_id.len == 0, request.idempotency_key.len == 0 else {
        throw .invalid("hold_id", "alone, or left out where user_id and idempotency_key are given")
      }
      let id = try Self.holdID(request.hold_id)
      return .getHold(id.key, generation: id.generation)
    }
    // A hold of before is found under whatever it was made.
    guard let user = Label(request.user_id.view) else { throw .invalidLabel("user_id") }
    guard let key = Label(request.idempotency_key.view) else {
      throw .invalidLabel("idempotency_key")
    }
    return .getHold(identity.hold(user: user, key: key), generation: nil)
  }

  static func sku(_ bytes: ProtobufCBinaryData) throws(Status) -> SKU {
    guard let sku = SKU(bytes.view) else { throw .invalidSKU }
    return sku
  }

  static func label(
    _ field: String, _ bytes: ProtobufCBinaryData
  ) throws(Status) -> Label {
    guard let label = Label(asked: bytes.view) else { throw .invalidLabel(field) }
    return label
  }

  static func holdID(_ bytes: ProtobufCBinaryData) throws(Status) -> HoldID {
    guard let id = HoldID(bytes.text) else {
      throw .invalid("hold_id", "an id that Reserve has returned, H-…")
    }
    return id
  }
}

extension Status {
  fileprivate static var invalidSKU: Status {
    .invalid("sku", "1 to \(Limits.skuBytesMax) bytes of A-Z a-z 0-9 . _ - /")
  }

  static func invalidLabel(_ field: String) -> Status {
    .invalid(
      field,
      "1 to \(Limits.textBytesMax) bytes of UTF-8 without control characters, and without those that "
        + "cannot be seen or turn the direction of a text")
  }
}
