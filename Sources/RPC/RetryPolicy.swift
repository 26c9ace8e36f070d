import Wire

/// When a call is made again.  Every call of the service can be: each carries what makes a repeat
/// find the work of the first.
public struct RetryPolicy: Sendable {
  /// Attempts in all, the first included.  Waiting for a connection is not an attempt.
  public var attemptsMax = 8
  /// The first pause is random, up to this many milliseconds; each later one up to twice as many.
  public var pauseMsFirst: UInt64 = 20
  /// No pause is longer, unless the server asks for more.
  public var pauseMsMax: UInt64 = 2_000

  /// The usual policy.
  public init() {}

  /// One attempt.
  public static var never: RetryPolicy {
    var policy = RetryPolicy()
    policy.attemptsMax = 1
    return policy
  }

  /// Whether a failure is of the kind that another attempt may cure.
  func isCurable(_ status: Status) -> Bool {
    // A call without an answer may have happened; made again it finds out.
    status.retryable || status.outcomeUnknown
  }

  /// The pause before another attempt, in milliseconds; nil: there is none.
  /// - Parameters:
  ///   - attempts: made so far.
  ///   - leftMs: until the caller's deadline.
  ///   - random: in 0..<1.  Full jitter keeps callers that failed together from returning together
  ///     (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
  func pauseMs(
    after status: Status, attempts: Int, leftMs: UInt64, random: Double
  ) -> UInt64? {
    guard attempts < attemptsMax, isCurable(status) else { return nil }
    let ceiling = min(pauseMsMax, pauseMsFirst << UInt64(min(attempts - 1, 20)))
    let pause = UInt64(status.retryAfterMs) + UInt64(Double(ceiling) * random)
    return pause < leftMs ? pause : nil
  }
}

/// Keeps repeats a small share of all calls, so that clients do not hold an overloaded server down.
/// A repeat costs one token, a success earns a tenth.
struct RetryBudget {
  /// Tokens at the start, and at most: what one lost connection with a full load needs.
  static let tokensMax = 1_000.0

  private(set) var tokens = tokensMax

  mutating func earn() { tokens = min(tokens + 0.1, Self.tokensMax) }

  mutating func spend() -> Bool {
    guard tokens >= 1 else { return false }
    tokens -= 1
    return true
  }
}
