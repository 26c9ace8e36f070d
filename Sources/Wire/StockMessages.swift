import CStockProto
public import Inventory

/// Asks for the figures of a SKU.
public struct GetStockRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = StockReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Stock/Get"

  /// Which SKU.
  public var sku: String

  /// A request as the caller writes it; the server checks it.
  public init(sku: String) { self.sku = sku }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__GetStockRequest()
    stock__v1__get_stock_request__init(&message)
    message.sku = arena.bytes(sku)
    buffer.append(message: &message)
  }
}

/// Asks to accept the figure that stands in Redis, and to open the SKU again.
public struct AdoptStockRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = StockReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Stock/Adopt"

  /// Which SKU.
  public var sku: String

  /// A request as the caller writes it; the server checks it.
  public init(sku: String) { self.sku = sku }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__AdoptStockRequest()
    stock__v1__adopt_stock_request__init(&message)
    message.sku = arena.bytes(sku)
    buffer.append(message: &message)
  }
}

/// The reply of Set, Adjust, Retire, Get and Adopt, which are one message on the wire.
public struct StockReply: ReplyMessage, Sendable, Hashable {
  /// nil: one that this version does not know.
  public var outcome: Outcome?
  /// Unless UNKNOWN_SKU.
  public var stock: StockLevel?

  /// A reply from its parts.
  public init(outcome: Outcome, stock: StockLevel?) {
    self.outcome = outcome
    self.stock = stock
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__GetStockReply()
    stock__v1__get_stock_reply__init(&message)
    message.outcome = outcome.onTheWire
    message.stock = stock.map { arena.place($0.message(arena)) }
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard let message = arena.unpack(bytes, stock__v1__get_stock_reply__unpack) else {
      throw MessageError()
    }
    outcome = Outcome(message.pointee.outcome)
    stock = message.pointee.stock.map { StockLevel($0.pointee) }
  }
}

/// The figures of a SKU as a caller sees them.
public struct StockLevel: Sendable, Hashable {
  /// Which SKU.
  public var sku: String
  /// The figures, in units.
  public var figures: Figures

  /// A level from its parts.
  public init(sku: String, figures: Figures) {
    self.sku = sku
    self.figures = figures
  }

  init(_ message: Stock__V1__StockLevel) {
    sku = message.sku.text
    figures = Figures(
      available: message.available, held: message.held, sold: message.sold,
      supplied: message.supplied, version: message.version, isRetired: message.retired != 0)
  }

  func message(_ arena: Arena) -> Stock__V1__StockLevel {
    var message = Stock__V1__StockLevel()
    stock__v1__stock_level__init(&message)
    message.sku = arena.bytes(sku)
    message.available = figures.available
    message.held = figures.held
    message.sold = figures.sold
    message.supplied = figures.supplied
    message.version = figures.version
    message.retired = figures.isRetired ? 1 : 0
    return message
  }
}
