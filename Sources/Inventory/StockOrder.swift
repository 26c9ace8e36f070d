/// A change of a SKU's stock that a person asks for.
public struct StockOrder: Hashable, Sendable {
  /// What is to become of the units available.
  public enum Change: Hashable, Sendable {
    /// So many from now on; and the SKU is on sale.
    /// - Parameter ifAvailable: only if so many are available now; nil: whatever there is.
    case set(UInt64, ifAvailable: UInt64? = nil)
    /// So many more, or, when negative, fewer.
    case adjust(Int64)
    /// No new holds; the units stay where they are.
    case retire
  }

  /// Which SKU.
  public let sku: SKU
  /// What is to be done.
  public let change: Change
  /// Makes repeating safe.
  public let requestID: Label
  /// Who and why; no part of the request's identity.
  public let attribution: Attribution?
  /// The trace of the call; no part of the request's identity.
  public let trace: TraceContext?

  /// An order from its parts.
  public init(
    _ change: Change, of sku: SKU, requestID: Label, attribution: Attribution? = nil,
    trace: TraceContext? = nil
  ) {
    (self.change, self.sku, self.requestID) = (change, sku, requestID)
    (self.attribution, self.trace) = (attribution, trace)
  }

  /// Tells another order under the same request id.  What the caller expected to find is no part of it:
  /// it says whether something is done, not what.
  public var fingerprint: UInt64 {
    var print = Fingerprint()
    print.mix(sku.text)
    switch change {
    case .set(let available, _): print.mix(available)
    case .adjust(let delta):
      print.mix("adjust")
      print.mix(UInt64(bitPattern: delta))
    case .retire: print.mix("retire")
    }
    return print.value
  }
}
