/// Redis's clock as a server knows it: deadlines are kept by CLOCK_MONOTONIC, and judged by the script.
///
/// How it works.  Every reply says Redis's time at some moment before it came.  What is remembered is the
/// least by which Redis's clock can be ahead, so that a deadline never becomes a later one on its way
/// through here: what its caller has been told that it is over does not happen any more.  The measure of
/// a slow reply is beaten by the next quick one; what is known grows old by a thousandth of the time.
///
/// A value without a clock.
struct RedisClock {
  /// The two clocks drift apart by no more than this share.
  private static let drift: Int64 = 1_000

  /// Nanoseconds by which Redis's clock is ahead of CLOCK_MONOTONIC, at least; nil: it was never heard.
  private var aheadNs: Int64?
  private var heardAt: UInt64 = 0

  /// A reply has come.
  /// - Parameters:
  ///   - ms: what it says, in milliseconds since 1970.
  ///   - now: nanoseconds of CLOCK_MONOTONIC.
  mutating func heard(_ ms: UInt64, at now: UInt64) {
    let measured = Int64(clamping: ms) * 1_000_000 - Int64(clamping: now)
    let aged = aheadNs.map { $0 - Int64(clamping: now - min(heardAt, now)) / Self.drift }
    aheadNs = max(aged ?? measured, measured)
    heardAt = now
  }

  /// Another Redis may have another clock.
  mutating func forget() { aheadNs = nil }

  /// What Redis's clock shows at a moment, at least, in milliseconds since 1970; nil: it was never heard.
  /// - Parameter moment: nanoseconds of CLOCK_MONOTONIC.
  func ms(at moment: UInt64) -> UInt64? {
    guard let aheadNs else { return nil }
    return UInt64(max(Int64(clamping: moment) + aheadNs, 0)) / 1_000_000
  }
}
