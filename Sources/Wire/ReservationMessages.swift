import CStockProto
public import Inventory

/// Asks for units of a SKU.
public struct ReserveRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = ReserveReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Reservations/Reserve"

  /// What to hold.
  public var sku: String
  /// How many units.
  public var qty: UInt64
  /// Who holds.
  public var userID: String
  /// The key that makes repeating safe.
  public var idempotencyKey: String
  /// Milliseconds; 0: the server's default.
  public var ttlMs: UInt64
  /// nil: the server's default; inside a `BatchReserveRequest`, that of the batch.
  public var acknowledge: Acknowledgement?

  /// A request as the caller writes it; the server checks it.
  public init(
    sku: String, qty: UInt64, userID: String, idempotencyKey: String, ttlMs: UInt64 = 0,
    acknowledge: Acknowledgement? = nil
  ) {
    self.sku = sku
    self.qty = qty
    self.userID = userID
    self.idempotencyKey = idempotencyKey
    self.ttlMs = ttlMs
    self.acknowledge = acknowledge
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = message(arena)
    buffer.append(message: &message)
  }

  func message(_ arena: Arena) -> Stock__V1__ReserveRequest {
    var message = Stock__V1__ReserveRequest()
    stock__v1__reserve_request__init(&message)
    message.sku = arena.bytes(sku)
    message.qty = qty
    message.user_id = arena.bytes(userID)
    message.idempotency_key = arena.bytes(idempotencyKey)
    message.ttl_ms = ttlMs
    message.acknowledge = acknowledge.onTheWire
    return message
  }
}

/// Asks to turn a hold into an order.
public struct ConfirmRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = HoldReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Reservations/Confirm"

  /// Which hold.
  public var holdID: String
  /// The payment that stands behind it.
  public var paymentRef: String
  /// nil: the server's default.
  public var acknowledge: Acknowledgement?

  /// A request as the caller writes it; the server checks it.
  public init(holdID: String, paymentRef: String, acknowledge: Acknowledgement? = nil) {
    self.holdID = holdID
    self.paymentRef = paymentRef
    self.acknowledge = acknowledge
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__ConfirmRequest()
    stock__v1__confirm_request__init(&message)
    message.hold_id = arena.bytes(holdID)
    message.payment_ref = arena.bytes(paymentRef)
    message.acknowledge = acknowledge.onTheWire
    buffer.append(message: &message)
  }
}

/// Asks to give a hold's units back.
public struct CancelRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = HoldReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Reservations/Cancel"

  /// Which hold.
  public var holdID: String
  /// nil: the server's default.
  public var acknowledge: Acknowledgement?

  /// A request as the caller writes it; the server checks it.
  public init(holdID: String, acknowledge: Acknowledgement? = nil) {
    self.holdID = holdID
    self.acknowledge = acknowledge
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__CancelRequest()
    stock__v1__cancel_request__init(&message)
    message.hold_id = arena.bytes(holdID)
    message.acknowledge = acknowledge.onTheWire
    buffer.append(message: &message)
  }
}

/// Asks for one hold, by its id or by the user and key that made it.
public struct GetHoldRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = HoldReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Reservations/GetHold"

  /// Which hold; empty when user and key say it.
  public var holdID: String
  /// With `idempotencyKey`.
  public var userID: String
  /// With `userID`.
  public var idempotencyKey: String

  /// By id.
  public init(holdID: String) { (self.holdID, userID, idempotencyKey) = (holdID, "", "") }

  /// By what made it.
  public init(userID: String, idempotencyKey: String) {
    (holdID, self.userID, self.idempotencyKey) = ("", userID, idempotencyKey)
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__GetHoldRequest()
    stock__v1__get_hold_request__init(&message)
    message.hold_id = arena.bytes(holdID)
    message.user_id = arena.bytes(userID)
    message.idempotency_key = arena.bytes(idempotencyKey)
    buffer.append(message: &message)
  }
}

/// The reply of Confirm, Cancel, Extend, Release and GetHold, which are one message on the wire.
public struct HoldReply: ReplyMessage, Sendable, Hashable {
  /// nil: one that this version does not know.
  public var outcome: Outcome?
  /// Unless NO_SUCH_HOLD.
  public var hold: HoldView?
  /// The level that was reached by a change, when the call named one or when it is less than was
  /// asked for.
  public var acknowledged: Acknowledgement?

  /// A reply from its parts.
  public init(outcome: Outcome, hold: HoldView?, acknowledged: Acknowledgement? = nil) {
    self.outcome = outcome
    self.hold = hold
    self.acknowledged = acknowledged
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__ConfirmReply()
    stock__v1__confirm_reply__init(&message)
    message.outcome = outcome.onTheWire
    message.hold = hold.map { arena.place($0.message(arena)) }
    message.acknowledged = acknowledged.onTheWire
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard let message = arena.unpack(bytes, stock__v1__confirm_reply__unpack) else {
      throw MessageError()
    }
    outcome = Outcome(message.pointee.outcome)
    hold = message.pointee.hold.map { HoldView($0.pointee) }
    acknowledged = Acknowledgement(message.pointee.acknowledged)
  }
}

/// A hold as a caller sees it.
public struct HoldView: Sendable, Hashable {
  /// `H-…-<created at>`
  public var holdID: String
  /// nil: one that this version does not know.
  public var status: HoldStatus?
  /// What is held; empty: the hold has ended, and the store remembers it in short.
  public var sku: String
  /// How many units.
  public var qty: UInt64
  /// Who holds.
  public var userID: String
  /// The key that made it.
  public var idempotencyKey: String
  /// Milliseconds since 1970.
  public var createdAt: Int64
  /// Milliseconds since 1970.
  public var expiresAt: Int64
  /// Milliseconds since 1970.
  public var changedAt: Int64
  /// 1 when created, one more with every change.
  public var version: UInt64
  /// Confirmed holds; else empty.
  public var paymentRef: String
  /// Confirmed holds; else empty.
  public var orderID: String

  /// - Parameters:
  ///   - status: as the caller is told, see `Hold.status(at:)`.
  ///   - orderID: for a confirmed hold.
  public init(_ hold: Hold, status: HoldStatus, orderID: String) {
    holdID = hold.id.description
    self.status = status
    sku = hold.sku.text
    qty = hold.qty
    userID = hold.user.text
    idempotencyKey = hold.key.text
    createdAt = Int64(clamping: hold.createdAt)
    expiresAt = Int64(clamping: hold.expiresAt)
    changedAt = Int64(clamping: hold.changedAt)
    version = hold.version
    paymentRef = hold.paymentRef?.text ?? ""
    self.orderID = orderID
  }

  /// What is left of a hold that has ended: the other texts are empty, and there are no units.
  public init(_ ended: EndedHold, orderID: String) {
    holdID = ended.id.description
    status = ended.status
    (sku, qty, userID, idempotencyKey, paymentRef) = ("", 0, "", "", "")
    createdAt = Int64(clamping: ended.createdAt)
    expiresAt = Int64(clamping: ended.expiresAt)
    changedAt = Int64(clamping: ended.changedAt)
    version = ended.version
    self.orderID = orderID
  }

  fileprivate init(_ message: Stock__V1__Hold) {
    holdID = message.hold_id.text
    status = HoldStatus(message.status)
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
  }

  fileprivate func message(_ arena: Arena) -> Stock__V1__Hold {
    var message = Stock__V1__Hold()
    stock__v1__hold__init(&message)
    message.hold_id = arena.bytes(holdID)
    message.status = status.onTheWire
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
    return message
  }
}

extension Outcome {
  init?(_ wire: Stock__V1__Outcome) {
    guard let byte = UInt8(exactly: wire.rawValue), byte < 64 else { return nil }
    self.init(rawValue: byte)
  }

  /// The name on the wire and in JSON.
  public var name: String {
    switch self {
    case .held: "HELD"
    case .repeated: "REPEATED"
    case .soldOut: "SOLD_OUT"
    case .unknownSKU: "UNKNOWN_SKU"
    case .confirmed: "CONFIRMED"
    case .cancelled: "CANCELLED"
    case .expired: "EXPIRED"
    case .noSuchHold: "NO_SUCH_HOLD"
    case .found: "FOUND"
    case .stockSet: "STOCK_SET"
    case .stockAdopted: "STOCK_ADOPTED"
    case .alreadyConfirmed: "ALREADY_CONFIRMED"
    case .alreadyCancelled: "ALREADY_CANCELLED"
    case .stockAdjusted: "STOCK_ADJUSTED"
    case .tooFewAvailable: "TOO_FEW_AVAILABLE"
    case .availableDiffers: "AVAILABLE_DIFFERS"
    case .stockRetired: "STOCK_RETIRED"
    case .notForSale: "NOT_FOR_SALE"
    case .extended: "EXTENDED"
    case .extendedTooOften: "EXTENDED_TOO_OFTEN"
    case .keyReused, .paymentRefMismatch, .stockMismatch, .storeFull, .requestIDReused,
      .tooManyUnits, .notDue, .forgotten, .holdUnreadable, .backlog, .settled:
      preconditionFailure("a refusal is a status, not an outcome")
    }
  }
}

extension Outcome? {
  var onTheWire: Stock__V1__Outcome {
    Stock__V1__Outcome(rawValue: numericCast(self?.rawValue ?? 0))
  }
}

extension HoldStatus {
  init?(_ wire: Stock__V1__Hold__Status) {
    guard let byte = UInt8(exactly: wire.rawValue) else { return nil }
    self.init(rawValue: byte)
  }
}

extension HoldStatus? {
  var onTheWire: Stock__V1__Hold__Status {
    Stock__V1__Hold__Status(rawValue: numericCast(self?.rawValue ?? 0))
  }
}
