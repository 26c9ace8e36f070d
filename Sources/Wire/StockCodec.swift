import CStockProto
public import Inventory

// Decodes the requests of the service `Stock`.
extension OperationDecoder {
  /// Decodes a `SetStockRequest`.
  public func setStock(
    _ bytes: UnsafeRawBufferPointer, arena: Arena, trace: TraceContext? = nil
  ) throws(Status) -> StockOrder {
    guard let message = arena.unpack(bytes, stock__v1__set_stock_request__unpack) else {
      throw .malformedMessage
    }
    let request = message.pointee
    let sku = try Self.sku(request.sku)
    guard request.available <= Limits.stockUnitsMax else {
      throw .invalid("available", "0 to \(Limits.stockUnitsMax) units")
    }
    var expected: UInt64?
    if request.expected_case == STOCK__V1__SET_STOCK_REQUEST__EXPECTED_IF_AVAILABLE {
      guard request.if_available <= Limits.stockUnitsMax else {
        throw .invalid("if_available", "0 to \(Limits.stockUnitsMax) units, or left out")
      }
      expected = request.if_available
    }
    return StockOrder(
      .set(request.available, ifAvailable: expected), of: sku,
      requestID: try Self.label("request_id", request.request_id),
      attribution: try Self.attribution(actor: request.actor, reason: request.reason),
      trace: trace)
  }

  /// Decodes an `AdjustStockRequest`.
  public func adjustStock(
    _ bytes: UnsafeRawBufferPointer, arena: Arena, trace: TraceContext? = nil
  ) throws(Status) -> StockOrder {
    guard let message = arena.unpack(bytes, stock__v1__adjust_stock_request__unpack) else {
      throw .malformedMessage
    }
    let request = message.pointee
    let sku = try Self.sku(request.sku)
    guard request.delta != 0, request.delta.magnitude <= Limits.stockUnitsMax else {
      throw .invalid("delta", "1 to \(Limits.stockUnitsMax) units more or fewer")
    }
    return StockOrder(
      .adjust(request.delta), of: sku,
      requestID: try Self.label("request_id", request.request_id),
      attribution: try Self.attribution(actor: request.actor, reason: request.reason),
      trace: trace)
  }

  /// Decodes a `RetireStockRequest`.
  public func retireStock(
    _ bytes: UnsafeRawBufferPointer, arena: Arena, trace: TraceContext? = nil
  ) throws(Status) -> StockOrder {
    guard let message = arena.unpack(bytes, stock__v1__retire_stock_request__unpack) else {
      throw .malformedMessage
    }
    let request = message.pointee
    return StockOrder(
      .retire, of: try Self.sku(request.sku),
      requestID: try Self.label("request_id", request.request_id),
      attribution: try Self.attribution(actor: request.actor, reason: request.reason),
      trace: trace)
  }

  /// Decodes a `GetStockRequest`.
  public func getStock(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws(Status) -> SKU {
    guard let message = arena.unpack(bytes, stock__v1__get_stock_request__unpack) else {
      throw .malformedMessage
    }
    return try Self.sku(message.pointee.sku)
  }

  /// Decodes a `ListStockRequest`.
  public func listStock(
    _ bytes: UnsafeRawBufferPointer, arena: Arena
  ) throws(Status) -> (after: SKU?, limit: Int) {
    guard let message = arena.unpack(bytes, stock__v1__list_stock_request__unpack) else {
      throw .malformedMessage
    }
    let request = message.pointee
    guard request.limit <= Limits.stockPageMax else {
      throw .invalid("limit", "1 to \(Limits.stockPageMax) SKUs, or 0 for the default")
    }
    var after: SKU?
    if request.after.len > 0 {
      guard let last = SKU(request.after.view) else {
        throw .invalid("after", "the 'next' of a page, or nothing")
      }
      after = last
    }
    return (after, request.limit == 0 ? Limits.stockPageDefault : Int(request.limit))
  }

  /// Decodes an `AdoptStockRequest`.
  public func adoptStock(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws(Status) -> SKU {
    guard let message = arena.unpack(bytes, stock__v1__adopt_stock_request__unpack) else {
      throw .malformedMessage
    }
    return try Self.sku(message.pointee.sku)
  }

  /// Who and why, each of which may be left out.
  static func attribution(
    actor: ProtobufCBinaryData, reason: ProtobufCBinaryData
  ) throws(Status) -> Attribution? {
    Attribution(
      actor: actor.len == 0 ? nil : try label("actor", actor),
      reason: reason.len == 0 ? nil : try label("reason", reason))
  }
}
