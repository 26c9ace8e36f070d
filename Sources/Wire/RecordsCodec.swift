import CStockProto
import Inventory

/// Fields of a reply with lists in it that is read here.
private let listFieldsMax = Arena.fieldsMax + ListHoldsRequest.limitMax

extension HoldRecord {
  fileprivate func message(_ arena: Arena) -> Stock__V1__HoldRecord {
    var message = Stock__V1__HoldRecord()
    stock__v1__hold_record__init(&message)
    message.hold_id = arena.bytes(holdID)
    message.status = arena.bytes(status)
    message.sku = arena.bytes(sku)
    message.qty = qty
    message.user_id = arena.bytes(userID)
    message.idempotency_key = arena.bytes(idempotencyKey)
    message.created_at = createdAt
    message.expires_at = expiresAt
    message.changed_at = changedAt
    message.version = version
    message.payment_ref = arena.bytes(paymentRef)
    message.order_id = arena.bytes(orderID)
    message.stream_id = arena.bytes(streamID)
    return message
  }

  fileprivate init(_ message: Stock__V1__HoldRecord) {
    holdID = message.hold_id.text
    status = message.status.text
    sku = message.sku.text
    qty = message.qty
    userID = message.user_id.text
    idempotencyKey = message.idempotency_key.text
    createdAt = message.created_at
    expiresAt = message.expires_at
    changedAt = message.changed_at
    version = message.version
    paymentRef = message.payment_ref.text
    orderID = message.order_id.text
    streamID = message.stream_id.text
  }
}

extension MovementRecord {
  fileprivate func message(_ arena: Arena) -> Stock__V1__Movement {
    var message = Stock__V1__Movement()
    stock__v1__movement__init(&message)
    message.event_id = arena.bytes(eventID)
    message.cause = arena.bytes(cause)
    message.sku = arena.bytes(sku)
    message.hold_id = arena.bytes(holdID)
    message.time = time
    message.stream_id = arena.bytes(streamID)
    (message.available_delta, message.held_delta) = (deltas.available, deltas.held)
    (message.sold_delta, message.supplied_delta) = (deltas.sold, deltas.supplied)
    if let after {
      (message.available, message.held) = (after.available, after.held)
      (message.sold, message.supplied) = (after.sold, after.supplied)
    }
    message.request_id = arena.bytes(requestID)
    message.actor = arena.bytes(actor)
    message.reason = arena.bytes(reason)
    message.found = arena.bytes(found)
    return message
  }

  fileprivate init(_ message: Stock__V1__Movement) {
    eventID = message.event_id.text
    cause = message.cause.text
    sku = message.sku.text
    holdID = message.hold_id.text
    time = message.time
    streamID = message.stream_id.text
    deltas = Correction.Deltas(
      available: message.available_delta, held: message.held_delta, sold: message.sold_delta,
      supplied: message.supplied_delta)
    if holdID.isEmpty {
      after = Figures(
        available: message.available, held: message.held, sold: message.sold,
        supplied: message.supplied, version: 0)
    }
    requestID = message.request_id.text
    actor = message.actor.text
    reason = message.reason.text
    found = message.found.text
  }
}

extension ListHoldsRequest {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__ListHoldsRequest()
    stock__v1__list_holds_request__init(&message)
    message.user_id = arena.bytes(userID)
    message.sku = arena.bytes(sku)
    message.status = arena.bytes(status)
    message.created_from = createdFrom
    message.created_until = createdUntil
    message.after = arena.bytes(after)
    message.limit = UInt32(clamping: limit)
    buffer.append(message: &message)
  }
}

extension WantedHolds {
  /// Decodes a `ListHoldsRequest`.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws(Status) {
    guard let message = arena.unpack(bytes, stock__v1__list_holds_request__unpack) else {
      throw .malformedMessage
    }
    let asked = message.pointee
    // Whoever is looked for may have bought before such a name was refused.
    user = Label(asked.user_id.view)
    guard user != nil || asked.user_id.len == 0 else { throw .invalidLabel("user_id") }
    sku = asked.sku.len == 0 ? nil : try OperationDecoder.sku(asked.sku)
    let name = asked.status.text
    status = HoldStatus.allCases.first { $0.name == name }
    guard status != nil || name.isEmpty else {
      throw .invalid("status", "ACTIVE, CONFIRMED, CANCELLED or EXPIRED, or left out")
    }
    guard let from = UInt64(exactly: asked.created_from) else {
      throw .invalid("created_from", "milliseconds since 1970")
    }
    guard let until = UInt64(exactly: asked.created_until) else {
      throw .invalid("created_until", "milliseconds since 1970, or 0")
    }
    (createdFrom, createdUntil) = (from, until == 0 ? nil : until)
    after = HoldID(asked.after.text)
    guard after != nil || asked.after.len == 0 else {
      throw .invalid("after", "the 'next' of a page, or nothing")
    }
    limit = try pageLimit(asked.limit)
  }
}

extension ListHoldsReply {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__ListHoldsReply()
    stock__v1__list_holds_reply__init(&message)
    message.n_holds = holds.count
    message.holds = arena.pointers(holds) { $0.message(arena) }
    message.next = arena.bytes(next)
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard
      let message = arena.unpack(
        bytes, fieldsMax: listFieldsMax, stock__v1__list_holds_reply__unpack)
    else { throw MessageError() }
    holds = values(message.pointee.n_holds, message.pointee.holds) { HoldRecord($0) }
    next = message.pointee.next.text
  }
}

extension HistoryRequest {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__HistoryRequest()
    stock__v1__history_request__init(&message)
    message.sku = arena.bytes(sku)
    message.stock_only = stockOnly ? 1 : 0
    message.after = arena.bytes(after)
    message.limit = UInt32(clamping: limit)
    message.hold_id = arena.bytes(holdID)
    buffer.append(message: &message)
  }
}

extension WantedHistory {
  /// Decodes a `HistoryRequest`.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws(Status) {
    guard let message = arena.unpack(bytes, stock__v1__history_request__unpack) else {
      throw .malformedMessage
    }
    let asked = message.pointee
    if asked.hold_id.len > 0 {
      guard asked.sku.len == 0 else {
        throw .invalid("hold_id", "alone, or left out where sku is given")
      }
      self = .hold(try OperationDecoder.holdID(asked.hold_id))
    } else {
      self = .sku(
        try OperationDecoder.sku(asked.sku), stockOnly: asked.stock_only != 0,
        after: asked.after.text, limit: try pageLimit(asked.limit))
    }
  }
}

extension HistoryReply {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__HistoryReply()
    stock__v1__history_reply__init(&message)
    message.n_movements = movements.count
    message.movements = arena.pointers(movements) { $0.message(arena) }
    message.next = arena.bytes(next)
    message.hold = hold.map { arena.place($0.message(arena)) }
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard
      let message = arena.unpack(bytes, fieldsMax: listFieldsMax, stock__v1__history_reply__unpack)
    else { throw MessageError() }
    movements = values(message.pointee.n_movements, message.pointee.movements) {
      MovementRecord($0)
    }
    next = message.pointee.next.text
    hold = message.pointee.hold.map { HoldRecord($0.pointee) }
  }
}

private func pageLimit(_ asked: UInt32) throws(Status) -> Int {
  guard asked <= ListHoldsRequest.limitMax else {
    throw .invalid("limit", "1 to \(ListHoldsRequest.limitMax), or 0 for the default")
  }
  return asked == 0 ? ListHoldsRequest.limitDefault : Int(asked)
}
