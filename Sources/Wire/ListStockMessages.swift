import CStockProto
import Inventory

/// Asks for the figures of all SKUs, a page at a time.
public struct ListStockRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = ListStockReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Stock/List"

  /// The `next` of the page before; empty: the first page.
  public var after: String
  /// SKUs, 1 to `Limits.stockPageMax`; 0: `Limits.stockPageDefault`.
  public var limit: Int

  /// A request as the caller writes it; the server checks it.
  public init(after: String = "", limit: Int = 0) { (self.after, self.limit) = (after, limit) }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__ListStockRequest()
    stock__v1__list_stock_request__init(&message)
    message.after = arena.bytes(after)
    message.limit = UInt32(clamping: limit)
    buffer.append(message: &message)
  }
}

/// One SKU of a page.
public struct StockListing: Sendable, Hashable {
  /// Its figures.
  public var stock: StockLevel
  /// Whether the figure in Redis was changed by hand: nothing is sold until Adopt.
  public var isClosed: Bool

  /// A listing from its parts.
  public init(stock: StockLevel, isClosed: Bool) {
    (self.stock, self.isClosed) = (stock, isClosed)
  }
}

/// A page of SKUs, by the bytes of their names.
public struct ListStockReply: ReplyMessage, Sendable, Hashable {
  /// At most as many as were asked for.
  public var stock: [StockListing]
  /// Where the next page begins; empty: this is the last one.
  public var next: String

  /// A page from its parts.
  public init(stock: [StockListing] = [], next: String = "") {
    (self.stock, self.next) = (stock, next)
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__ListStockReply()
    stock__v1__list_stock_reply__init(&message)
    let listings = stock.map { listing in
      var item = Stock__V1__StockListing()
      stock__v1__stock_listing__init(&item)
      item.stock = arena.place(listing.stock.message(arena))
      item.closed = listing.isClosed ? 1 : 0
      return arena.place(item)
    }
    message.n_stock = listings.count
    message.stock = arena.list(listings)
    message.next = arena.bytes(next)
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    let fields = Limits.stockPageMax + Arena.fieldsMax
    guard
      let message = arena.unpack(bytes, fieldsMax: fields, stock__v1__list_stock_reply__unpack)
    else { throw MessageError() }
    stock = try (0..<message.pointee.n_stock).map { place in
      guard let item = message.pointee.stock[place]?.pointee, let level = item.stock else {
        throw MessageError()
      }
      return StockListing(stock: StockLevel(level.pointee), isClosed: item.closed != 0)
    }
    next = message.pointee.next.text
  }
}
