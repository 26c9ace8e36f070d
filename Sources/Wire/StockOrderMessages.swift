import CStockProto

/// Asks to set the units available of a SKU.
public struct SetStockRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = StockReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Stock/Set"

  /// Which SKU.
  public var sku: String
  /// Units available from now on.
  public var available: UInt64
  /// Makes repeating safe.
  public var requestID: String
  /// Only if so many are available now; nil: whatever there is.
  public var ifAvailable: UInt64?
  /// Why; empty: not said.
  public var reason: String
  /// Who asks for it; empty: not said.
  public var actor: String

  /// A request as the caller writes it; the server checks it.
  public init(
    sku: String, available: UInt64, requestID: String, ifAvailable: UInt64? = nil,
    reason: String = "", actor: String = ""
  ) {
    self.sku = sku
    self.available = available
    self.requestID = requestID
    self.ifAvailable = ifAvailable
    self.reason = reason
    self.actor = actor
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__SetStockRequest()
    stock__v1__set_stock_request__init(&message)
    message.sku = arena.bytes(sku)
    message.available = available
    message.request_id = arena.bytes(requestID)
    if let ifAvailable {
      message.expected_case = STOCK__V1__SET_STOCK_REQUEST__EXPECTED_IF_AVAILABLE
      message.if_available = ifAvailable
    }
    message.reason = arena.bytes(reason)
    message.actor = arena.bytes(actor)
    buffer.append(message: &message)
  }
}

/// Asks to add units to those available of a SKU, or to take some away.
public struct AdjustStockRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = StockReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Stock/Adjust"

  /// Which SKU.
  public var sku: String
  /// Units more, or, when negative, fewer.
  public var delta: Int64
  /// Makes repeating safe.
  public var requestID: String
  /// Why; empty: not said.
  public var reason: String
  /// Who asks for it; empty: not said.
  public var actor: String

  /// A request as the caller writes it; the server checks it.
  public init(
    sku: String, delta: Int64, requestID: String, reason: String = "", actor: String = ""
  ) {
    self.sku = sku
    self.delta = delta
    self.requestID = requestID
    self.reason = reason
    self.actor = actor
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__AdjustStockRequest()
    stock__v1__adjust_stock_request__init(&message)
    message.sku = arena.bytes(sku)
    message.delta = delta
    message.request_id = arena.bytes(requestID)
    message.reason = arena.bytes(reason)
    message.actor = arena.bytes(actor)
    buffer.append(message: &message)
  }
}

/// Asks to take a SKU off sale.
public struct RetireStockRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = StockReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Stock/Retire"

  /// Which SKU.
  public var sku: String
  /// Makes repeating safe.
  public var requestID: String
  /// Why; empty: not said.
  public var reason: String
  /// Who asks for it; empty: not said.
  public var actor: String

  /// A request as the caller writes it; the server checks it.
  public init(sku: String, requestID: String, reason: String = "", actor: String = "") {
    self.sku = sku
    self.requestID = requestID
    self.reason = reason
    self.actor = actor
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__RetireStockRequest()
    stock__v1__retire_stock_request__init(&message)
    message.sku = arena.bytes(sku)
    message.request_id = arena.bytes(requestID)
    message.reason = arena.bytes(reason)
    message.actor = arena.bytes(actor)
    buffer.append(message: &message)
  }
}
