import CStockProto
public import Inventory

extension Correction {
  /// Units in one delta: two stocks of the largest size, one taken away and one put there.
  private static let deltaUnitsMax = 2 * Int64(Limits.stockUnitsMax)

  /// Decodes the correction of an event; nil for the types that have none.
  convenience init?(
    _ type: EventType, _ message: UnsafeMutablePointer<Stock__V1__Correction>?
  ) throws(EventError) {
    guard type == .holdCorrected || type == .stockCorrected else { return nil }
    guard let correction = message?.pointee else { throw .invalidField(type, "correction") }
    let books = Deltas(
      available: correction.available, held: correction.held, sold: correction.sold,
      supplied: correction.supplied)
    let range = -Self.deltaUnitsMax...Self.deltaUnitsMax
    guard [books.available, books.held, books.sold, books.supplied].allSatisfy(range.contains),
      books.balance, type == .stockCorrected || books.supplied == 0
    else { throw .invalidField(type, "correction deltas") }
    guard let found = String(validating: correction.found.view, as: UTF8.self),
      found.utf8.count <= Self.foundBytesMax,
      found.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
    else { throw .invalidField(type, "correction.found") }
    self.init(
      actor: try label(type, "correction.actor", correction.actor),
      reason: try label(type, "correction.reason", correction.reason), found: found, books: books)
  }

  /// Appends the correction as the last field of a HOLD_CORRECTED or STOCK_CORRECTED event.
  public func append(to buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__Correction()
    stock__v1__correction__init(&message)
    message.actor = arena.bytes(actor.text)
    message.reason = arena.bytes(reason.text)
    message.found = arena.bytes(found)
    (message.available, message.held) = (books.available, books.held)
    (message.sold, message.supplied) = (books.sold, books.supplied)
    // An event of this one field, which is appended to the others: concatenated messages merge.
    var event = Stock__V1__StockEvent()
    stock__v1__stock_event__init(&event)
    event.correction = arena.place(message)
    buffer.append(message: &event)
  }
}

/// The part of a STOCK_CORRECTED event that comes before its figures.
public func appendStockEvent(correcting sku: SKU, to buffer: inout ByteBuffer, arena: Arena) {
  var event = Stock__V1__StockEvent()
  stock__v1__stock_event__init(&event)
  event.sku = arena.bytes(sku.text)
  buffer.append(message: &event)
}

/// The field of a hold's event that names the payment.
public func appendHoldEvent(paymentRef: Label, to buffer: inout ByteBuffer, arena: Arena) {
  var event = Stock__V1__HoldEvent()
  stock__v1__hold_event__init(&event)
  event.payment_ref = arena.bytes(paymentRef.text)
  buffer.append(message: &event)
}
