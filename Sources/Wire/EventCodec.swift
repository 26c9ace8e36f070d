import CStockProto
public import Inventory

/// Why bytes in the stream are not an event.  Reading them again will not help.
public enum EventError: Error, Equatable, CustomStringConvertible {
  case unknownType(String)
  case notAMessage(EventType)
  case invalidField(EventType, String)

  /// The reason for the log and for the dead letter.
  public var description: String {
    switch self {
    case .unknownType(let name): "unknown event type \(name)"
    case .notAMessage(let type): "\(type.rawValue): not a protobuf message"
    case .invalidField(let type, let field): "\(type.rawValue): \(field) is missing or invalid"
    }
  }
}

extension Event {
  /// Decodes one pair of a stream entry.
  public init(
    type name: String, _ bytes: UnsafeRawBufferPointer, arena: Arena
  ) throws(EventError) {
    guard let type = EventType(rawValue: name) else { throw .unknownType(name) }
    switch type {
    case .holdCreated, .holdExtended, .holdConfirmed, .holdCancelled, .holdExpired, .holdCorrected:
      self = .hold(type, try Hold(type, bytes, arena))
    case .stockSet, .stockAdjusted, .stockRetired, .stockAdopted, .stockCorrected:
      self = .stock(type, try StockChange(type, bytes, arena))
    }
  }
}

extension Reservation {
  /// The part of the hold's event that the server knows: what `HoldEvent` calls its first part,
  /// without the time.  It ends with the SKU.
  ///
  /// Written by hand: protobuf-c walks the message and its line twice, a twelfth of a call.
  public func appendEvent(to buffer: inout ByteBuffer) {
    buffer.append(varint: 1 << 3 | 2)
    buffer.append(varint: UInt64(HoldKey.textBytes))
    hold.write(into: buffer.room(HoldKey.textBytes).assumingMemoryBound(to: UInt8.self))
    buffer.advance(HoldKey.textBytes)
    withTexts { texts in
      buffer.append(field: 2, bytes: texts.user)
      buffer.append(field: 3, bytes: texts.key)
      if let trace {
        trace.binary.withUnsafeBytes { buffer.append(field: 4, bytes: $0) }
      }
      // The line: its length comes first, so its fields are measured.
      let skuBytes = texts.sku.count
      let lineBytes = 1 + varintBytes(qty) + 1 + varintBytes(UInt64(skuBytes)) + skuBytes
      buffer.append(varint: 7 << 3 | 2)
      buffer.append(varint: UInt64(lineBytes))
      buffer.append(field: 1, qty)
      buffer.append(field: 3, bytes: texts.sku)
    }
  }
}

extension StockOrder {
  /// The part of the order's event that the server knows: what `StockEvent` calls its first part.
  public func appendEvent(to buffer: inout ByteBuffer, arena: Arena) {
    var event = Stock__V1__StockEvent()
    stock__v1__stock_event__init(&event)
    event.sku = arena.bytes(sku.text)
    event.request_id = arena.bytes(requestID.text)
    event.trace = arena.bytes(trace)
    event.reason = arena.bytes(attribution?.reason?.text ?? "")
    event.actor = arena.bytes(attribution?.actor?.text ?? "")
    buffer.append(message: &event)
  }
}

extension Attribution {
  /// Appends the fields of a hold's event that say who and why.
  public func appendHoldEvent(to buffer: inout ByteBuffer, arena: Arena) {
    var event = Stock__V1__HoldEvent()
    stock__v1__hold_event__init(&event)
    event.reason = arena.bytes(reason?.text ?? "")
    event.actor = arena.bytes(actor?.text ?? "")
    buffer.append(message: &event)
  }

  /// Decodes who and why of an event; nil where neither stands.
  convenience init?(
    _ type: EventType, actor: ProtobufCBinaryData, reason: ProtobufCBinaryData
  ) throws(EventError) {
    self.init(
      actor: actor.len == 0 ? nil : try label(type, "actor", actor),
      reason: reason.len == 0 ? nil : try label(type, "reason", reason))
  }
}

extension EventType {
  /// Whether a call with a request id stands behind every such event.
  fileprivate var isRequested: Bool {
    self == .stockSet || self == .stockAdjusted || self == .stockRetired
  }
}

extension Hold {
  /// Decodes an event of a hold: its first part and its change part.
  init(_ type: EventType, _ bytes: UnsafeRawBufferPointer, _ arena: Arena) throws(EventError) {
    guard let message = arena.unpack(bytes, stock__v1__hold_event__unpack) else {
      throw .notAMessage(type)
    }
    let event = message.pointee
    guard let status = HoldStatus(event.status), status.follows(type) else {
      throw .invalidField(type, "status")
    }
    guard event.version > 0 else { throw .invalidField(type, "version") }
    guard event.changed_at > 0 else { throw .invalidField(type, "changed_at") }
    guard event.expires_at > 0 else { throw .invalidField(type, "expires_at") }
    self.init(
      id: try HoldID(type, event), status: status, version: event.version,
      sku: try SKU(type, event), qty: try units(type, event),
      user: try label(type, "user_id", event.user_id),
      key: try label(type, "idempotency_key", event.idempotency_key),
      expiresAt: event.expires_at, changedAt: event.changed_at,
      paymentRef: event.payment_ref.len == 0
        ? nil : try label(type, "payment_ref", event.payment_ref),
      trace: TraceContext(binary: event.trace.view),
      changeTrace: TraceContext(binary: event.change_trace.view),
      attribution: try Attribution(type, actor: event.actor, reason: event.reason))
    guard (paymentRef != nil) == (status == .confirmed) else {
      throw .invalidField(type, "payment_ref")
    }
    correction = try Correction(type, event.correction)
  }

  /// Decodes a stored record: its first part, with what the record's header says.
  public init(
    record bytes: UnsafeRawBufferPointer, status: HoldStatus, version: UInt64, createdAt: UInt64,
    expiresAt: UInt64, changedAt: UInt64, paymentRef: Label?, arena: Arena
  ) throws(EventError) {
    let type = EventType.holdCreated
    guard let message = arena.unpack(bytes, stock__v1__hold_event__unpack) else {
      throw .notAMessage(type)
    }
    var event = message.pointee
    event.created_at = createdAt
    self.init(
      id: try HoldID(type, event), status: status, version: version, sku: try SKU(type, event),
      qty: try units(type, event), user: try label(type, "user_id", event.user_id),
      key: try label(type, "idempotency_key", event.idempotency_key), expiresAt: expiresAt,
      changedAt: changedAt, paymentRef: paymentRef, trace: TraceContext(binary: event.trace.view))
  }
}

extension Arena {
  /// The binary form of a trace, or nothing.
  fileprivate func bytes(_ trace: TraceContext?) -> ProtobufCBinaryData {
    guard let trace else { return ProtobufCBinaryData() }
    let copy = allocate(TraceContext.bytesCount)
    trace.binary.withUnsafeBytes {
      copy.copyMemory(from: $0.baseAddress!, byteCount: TraceContext.bytesCount)
    }
    return ProtobufCBinaryData(
      len: TraceContext.bytesCount, data: copy.assumingMemoryBound(to: UInt8.self))
  }
}

extension HoldStatus {
  /// Whether a hold has this status after an event of that type.
  fileprivate func follows(_ type: EventType) -> Bool {
    switch type {
    case .holdCreated, .holdExtended: self == .active
    case .holdConfirmed: self == .confirmed
    case .holdCancelled: self == .cancelled
    case .holdExpired: self == .expired
    case .holdCorrected: true
    case .stockSet, .stockAdjusted, .stockRetired, .stockAdopted, .stockCorrected: false
    }
  }
}

extension StockChange {
  fileprivate init(
    _ type: EventType, _ bytes: UnsafeRawBufferPointer, _ arena: Arena
  ) throws(EventError) {
    guard let message = arena.unpack(bytes, stock__v1__stock_event__unpack) else {
      throw .notAMessage(type)
    }
    let event = message.pointee
    guard let sku = SKU(event.sku.view) else { throw .invalidField(type, "sku") }
    guard event.version > 0 else { throw .invalidField(type, "version") }
    guard event.changed_at > 0 else { throw .invalidField(type, "changed_at") }
    let limit = Limits.stockUnitsMax
    let parts = [event.available, event.held, event.sold, event.supplied]
    guard parts.allSatisfy({ $0 <= limit }) else { throw .invalidField(type, "available") }
    let figures = Figures(
      available: event.available, held: event.held, sold: event.sold, supplied: event.supplied,
      version: event.version, isRetired: event.retired != 0)
    guard figures.balance else { throw .invalidField(type, "supplied") }
    self.init(
      sku: sku,
      requestID: type.isRequested ? try label(type, "request_id", event.request_id) : nil,
      changedAt: event.changed_at, figures: figures, delta: event.delta,
      trace: TraceContext(binary: event.trace.view),
      attribution: try Attribution(type, actor: event.actor, reason: event.reason),
      correction: try Correction(type, event.correction))
  }
}

extension HoldID {
  fileprivate init(_ type: EventType, _ event: Stock__V1__HoldEvent) throws(EventError) {
    guard let key = HoldKey(event.hold.text) else { throw .invalidField(type, "hold") }
    guard event.created_at > 0 else { throw .invalidField(type, "created_at") }
    self.init(key: key, generation: event.created_at)
  }
}

extension SKU {
  fileprivate init(_ type: EventType, _ event: Stock__V1__HoldEvent) throws(EventError) {
    guard event.n_lines == 1, let line = event.lines[0], let sku = SKU(line.pointee.sku.view)
    else { throw .invalidField(type, "lines.sku") }
    self = sku
  }
}

private func units(
  _ type: EventType, _ event: Stock__V1__HoldEvent
) throws(EventError) -> UInt64 {
  guard event.n_lines == 1, let line = event.lines[0],
    (1...Limits.holdUnitsMax).contains(line.pointee.qty)
  else { throw .invalidField(type, "lines.qty") }
  return line.pointee.qty
}

func label(
  _ type: EventType, _ field: String, _ bytes: ProtobufCBinaryData
) throws(EventError) -> Label {
  guard let label = Label(bytes.view) else { throw .invalidField(type, field) }
  return label
}
