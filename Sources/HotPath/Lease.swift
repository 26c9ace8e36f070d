/// From when and until when an opening holds, by the Redis's own clock.
public struct Lease: Equatable, Sendable {
  /// When an opening ends by itself.
  public enum Length: Equatable, Sendable {
    /// It does not: this process of Redis has never had a replica that could take its place.
    case standing
    /// It does not, although there are replicas: a person sees to it that only one is a master.
    case endless
    /// After so many milliseconds, unless it is renewed.
    case ms(UInt64)
  }

  /// How long an opening holds without being renewed, in milliseconds, unless it is set otherwise.
  public static let msDefault: UInt64 = 15_000
  /// No other Redis is opened sooner than this, in milliseconds, after the end of an opening: an answer
  /// may take `Fence.answerMsMax`, and `ReplicaWait.patienceMs` behind it.
  public static let marginMs: UInt64 = 3_000
  /// How long a Redis waits that may take the place of one whose end the books do not know, in milliseconds.
  /// - Parameter leaseMs: as workers are set.
  public static func patienceMs(_ leaseMs: UInt64) -> UInt64 { max(leaseMs, msDefault) + marginMs }

  /// When an endless one ends: the last number that Lua counts exactly.
  static let never: UInt64 = 9_007_199_254_740_991

  /// Redis's time when the books were asked, in milliseconds since 1970.
  public let askedMs: UInt64
  /// When it ends by itself.
  public let length: Length

  /// A lease from its parts.
  public init(askedMs: UInt64, length: Length) { (self.askedMs, self.length) = (askedMs, length) }

  /// The fields `from` and `until` of the fence; '' where it does not end.
  var fields: [String] {
    let from = "\(askedMs - min(askedMs, Fence.clockSlackMs))"
    switch length {
    case .standing: return ["", ""]
    case .endless: return [from, "\(Self.never)"]
    case .ms(let ms): return [from, "\(askedMs + ms)"]
    }
  }
}
