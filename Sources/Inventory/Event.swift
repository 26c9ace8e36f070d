/// The type of an event, written as its field name in the stream.
public enum EventType: String, Sendable, CaseIterable {
  case holdCreated = "HOLD_CREATED"
  case holdExtended = "HOLD_EXTENDED"
  case holdConfirmed = "HOLD_CONFIRMED"
  case holdCancelled = "HOLD_CANCELLED"
  case holdExpired = "HOLD_EXPIRED"
  case holdCorrected = "HOLD_CORRECTED"
  case stockSet = "STOCK_SET"
  case stockAdjusted = "STOCK_ADJUSTED"
  case stockRetired = "STOCK_RETIRED"
  case stockAdopted = "STOCK_ADOPTED"
  case stockCorrected = "STOCK_CORRECTED"
}

/// A change of state.  It carries the complete state after it, so that it can be applied twice, or
/// before the one that came first.
public enum Event: Hashable, Sendable {
  case hold(EventType, Hold)
  case stock(EventType, StockChange)

  /// `<hold id>/<version>` or `<sku>/<version>`: the same wherever and whenever it is delivered.
  public var id: String {
    switch self {
    case .hold(_, let hold): "\(hold.id)/\(hold.version)"
    case .stock(_, let change): "\(change.sku)/\(change.figures.version)"
    }
  }

  /// What kind of change.
  public var type: EventType {
    switch self {
    case .hold(let type, _), .stock(let type, _): type
    }
  }

  /// Milliseconds since 1970, by Redis's clock.
  public var time: UInt64 {
    switch self {
    case .hold(_, let hold): hold.changedAt
    case .stock(_, let change): change.changedAt
    }
  }

  /// The trace of the call behind it; where that sent none, or where the change was the sweep's, the
  /// trace that the hold began with.
  public var trace: TraceContext? {
    switch self {
    case .hold(_, let hold): hold.changeTrace ?? hold.trace
    case .stock(_, let change): change.trace
    }
  }
}

/// A change of a SKU's figures from outside the sale.
public struct StockChange: Hashable, Sendable {
  /// Which SKU.
  public var sku: SKU
  /// The request that asked for it; nil when a figure was adopted.
  public var requestID: Label?
  /// Milliseconds since 1970.
  public var changedAt: UInt64
  /// The figures after the change.
  public var figures: Figures
  /// How much supplied moved, in units.
  public var delta: Int64
  /// The trace of the call that asked for it.
  public var trace: TraceContext?
  /// Who asked for it and why, as far as the caller said.
  public var attribution: Attribution?
  /// What a STOCK_CORRECTED event is about; nil in any other.
  public var correction: Correction?

  /// A change from all its parts.
  public init(
    sku: SKU, requestID: Label?, changedAt: UInt64, figures: Figures, delta: Int64,
    trace: TraceContext? = nil, attribution: Attribution? = nil, correction: Correction? = nil
  ) {
    self.sku = sku
    self.requestID = requestID
    self.changedAt = changedAt
    self.figures = figures
    self.delta = delta
    self.trace = trace
    self.attribution = attribution
    self.correction = correction
  }
}
