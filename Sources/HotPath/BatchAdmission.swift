/// Whether one more operation may wait, by how long it would: an early "later" is worth more to a
/// caller than a late answer, and a queue that is longer than a moment only adds waiting.
///
/// How it works.  Every batch that left others behind says how long Redis takes for one operation
/// while it is busy; the middle one of the last few is believed, so that one slow fdatasync changes
/// nothing.  An operation is refused when those that go before it would take longer than
/// `delayMsMax`, or longer than its caller waits: such work would only expire.  Once anything was
/// refused, the queue must shrink to `delayMsAgain` before the next is admitted.  What fits into the
/// next two calls is always admitted, and so is everything while nothing has been measured.
///
/// A value without a clock.
struct BatchAdmission {
  /// Milliseconds of waiting before Redis beyond which an operation is refused.
  static let delayMsMax: UInt64 = 100
  /// Milliseconds of waiting at which operations are admitted again.
  static let delayMsAgain: UInt64 = 75
  /// Operations that may wait however slow Redis is.
  static let operationsFree = 2 * Batch.operationsMax
  /// Operations that may wait however fast Redis is.
  static let operationsMax = Batch.waitingMax
  /// What a caller is told to wait, at least and at most, in milliseconds.
  static let retryAfterMs: ClosedRange<UInt64> = 10...2_000
  /// Measurements that are remembered.
  private static let memory = 5

  private var recent: [UInt64] = []
  private var oldest = 0
  private var refusing = false
  /// What Redis needs for one operation while others wait, in nanoseconds; nil: never measured.
  private(set) var nanosecondsEach: UInt64?

  enum Verdict: Equatable {
    case admitted
    /// Not now.  The queue will have moved on by then.
    case refused(retryAfterMs: UInt32)
  }

  /// Judges operations that have arrived.
  /// - Parameters:
  ///   - count: how many, admitted or refused together.
  ///   - ahead: operations that would go before them.
  ///   - waiting: operations that wait in all.
  ///   - within: nanoseconds that the caller waits.
  mutating func arrived(
    _ count: Int = 1, ahead: Int, waiting: Int, within: UInt64
  ) -> Verdict {
    let each = nanosecondsEach ?? 0
    let delay = UInt64(ahead).multipliedReportingOverflow(by: each).partialValue
    let allowed = (refusing ? Self.delayMsAgain : Self.delayMsMax) * 1_000_000
    let fits = ahead < Self.operationsFree || delay <= min(allowed, within)
    if fits, waiting + count <= Self.operationsMax { return .admitted }
    refusing = true
    let wait = each == 0 ? Self.delayMsMax : delay / 1_000_000 + 1
    let range = Self.retryAfterMs
    return .refused(retryAfterMs: UInt32(min(max(wait, range.lowerBound), range.upperBound)))
  }

  /// A batch has left the queue.
  /// - Parameter waiting: operations that still wait.
  mutating func left(waiting: Int) {
    guard refusing else { return }
    let delay = UInt64(waiting) * (nanosecondsEach ?? 0)
    if waiting < Self.operationsFree || delay <= Self.delayMsAgain * 1_000_000 { refusing = false }
  }

  /// Redis has done a batch while others waited.
  /// - Parameter nanoseconds: since it had done the one before.
  mutating func measured(_ operations: Int, nanoseconds: UInt64) {
    guard operations > 0 else { return }
    let each = max(nanoseconds / UInt64(operations), 1)
    if recent.count < Self.memory {
      recent.append(each)
    } else {
      recent[oldest] = each
      oldest = (oldest + 1) % Self.memory
    }
    nanosecondsEach = recent.sorted()[recent.count / 2]
  }
}
