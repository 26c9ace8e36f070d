/// How long Redis remembers what has ended, so that a repeat is known as one.
public struct Retention: Hashable, Sendable {
  /// Milliseconds that a confirmed hold is remembered after it ended.
  public var confirmedMs = Limits.retentionMsDefault
  /// Milliseconds that a hold is remembered after it gave its units back: one that has expired or was
  /// cancelled.
  public var releasedMs = Limits.retentionReleasedMsDefault
  /// Milliseconds that all of it is kept, with SKU, units, user, key and payment reference; after that,
  /// once it is in the books, what `EndedHold` says.
  public var settleMs = Limits.settleMsDefault

  /// The defaults.
  public init() {}

  /// From its parts.
  public init(confirmedMs: UInt64, releasedMs: UInt64, settleMs: UInt64) {
    (self.confirmedMs, self.releasedMs, self.settleMs) = (confirmedMs, releasedMs, settleMs)
  }

  /// What is left of it while memory is short: first what gave its units back is remembered for less
  /// time, and then what was confirmed, each down to a floor.  A sale is refused only after that.
  /// - Parameters:
  ///   - use: of the memory in which holds may begin, 0 to 1.
  ///   - floorMs: for less nothing is remembered that is set to more.
  public func shortened(at use: Double, floorMs: UInt64) -> Retention {
    func shorten(_ ms: UInt64, _ range: ClosedRange<Double>) -> UInt64 {
      guard ms > floorMs else { return ms }
      let left = min(max((range.upperBound - use) / (range.upperBound - range.lowerBound), 0), 1)
      return floorMs + UInt64(Double(ms - floorMs) * left)
    }
    return Retention(
      confirmedMs: shorten(confirmedMs, Limits.confirmedShorteningUse),
      releasedMs: shorten(releasedMs, Limits.releasedShorteningUse), settleMs: settleMs)
  }
}
