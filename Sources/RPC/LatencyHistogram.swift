/// How long things took, in buckets of a sixteenth of their size: a few instructions to count one,
/// five kilobytes in all.  A value without a clock.
struct LatencyHistogram {
  /// Longer ones, beyond 18 minutes, count as this: nanoseconds.
  static let nanosecondsMax: UInt64 = 1 << 40 - 1
  /// Each power of two from 16 on has 16 buckets, and the numbers below it one each.
  private static let bucketCount = (40 - 3) * 16

  private var buckets = [UInt64](repeating: 0, count: bucketCount)
  /// How many were counted.
  private(set) var count: UInt64 = 0
  /// The longest, in nanoseconds; exactly.
  private(set) var longest: UInt64 = 0

  mutating func add(_ nanoseconds: UInt64) {
    buckets[Self.bucket(of: min(nanoseconds, Self.nanosecondsMax))] &+= 1
    count &+= 1
    if nanoseconds > longest { longest = nanoseconds }
  }

  /// Nanoseconds that a share of them, 0 to 1, stayed within; at most a sixteenth above the truth.
  func quantile(_ share: Double) -> UInt64 {
    let wanted = max((Double(count) * share).rounded(.up), 1)
    var seen: UInt64 = 0
    for (place, inBucket) in buckets.enumerated() where inBucket > 0 {
      seen += inBucket
      if Double(seen) >= wanted { return min(Self.upperEdge(of: place), longest) }
    }
    return 0
  }

  private static func bucket(of nanoseconds: UInt64) -> Int {
    guard nanoseconds >= 16 else { return Int(nanoseconds) }
    let exponent = 63 - nanoseconds.leadingZeroBitCount
    return (exponent - 3) << 4 + Int(nanoseconds >> UInt64(exponent - 4)) & 15
  }

  private static func upperEdge(of bucket: Int) -> UInt64 {
    guard bucket >= 16 else { return UInt64(bucket) }
    return UInt64(bucket & 15 + 17) << UInt64(bucket >> 4 - 1) - 1
  }
}
