/// When a call is over: the earlier of what its caller says in two ways.  The server's times are
/// nanoseconds of CLOCK_MONOTONIC.
///
/// `timeout_ms` counts from when the frame could first be read, which may be long after its caller has
/// gone.  `deadline_at` is the caller's own time.  It is judged once, as the call is read, so that a
/// wall clock that is set later neither ends nor lengthens calls that have begun.
enum CallDeadline {
  /// Of a call whose `deadline_at` had passed before it was read.
  static let passedUnread: UInt64 = 0

  /// - Parameters:
  ///   - timeoutMs: as the caller says; 0: it does not.
  ///   - since: when the frame could first be read.
  static func after(_ timeoutMs: UInt32, isStream: Bool, since: UInt64) -> UInt64 {
    if isStream { return timeoutMs == 0 ? .max : since + UInt64(timeoutMs) * 1_000_000 }
    let ms =
      timeoutMs == 0 ? RPCLimits.timeoutMsDefault : min(timeoutMs, RPCLimits.timeoutMsMax)
    return since + UInt64(ms) * 1_000_000
  }

  /// - Parameters:
  ///   - deadlineAt: milliseconds since 1970.
  ///   - now: at the same moment as
  ///   - wall: nanoseconds since 1970.
  /// - Returns: .max when it is too far away to be a time.
  static func at(_ deadlineAt: UInt64, now: UInt64, wall: UInt64) -> UInt64 {
    let (due, isFar) = deadlineAt.multipliedReportingOverflow(by: 1_000_000)
    guard !isFar else { return .max }
    guard due > wall else { return passedUnread }
    let (deadline, isFarther) = now.addingReportingOverflow(due - wall)
    return isFarther ? .max : deadline
  }
}
