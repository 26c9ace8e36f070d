import Loop
import RPC
import Wire

/// Calls that wait for work on another queue.  Lives on the loop's queue.
final class OpenCalls {
  private var open: [UInt64: (call: Call, work: Task<Void, Never>?)] = [:]
  private var opened: UInt64 = 0

  /// - Throws: RESOURCE_EXHAUSTED when `AdministrationLimits.callsOpenMax` wait already.
  /// - Returns: the number of the call, for `answer`.
  func begin(_ call: Call) throws(Status) -> UInt64 {
    guard open.count < AdministrationLimits.callsOpenMax else {
      throw Status(
        .resourceExhausted, reason: "OVERLOADED",
        message: "\(AdministrationLimits.callsOpenMax) calls wait for this worker's stores.",
        retryable: true, retryAfterMs: 1_000)
    }
    opened += 1
    open[opened] = (call, nil)
    return opened
  }

  /// A caller that goes takes back what has not been begun.
  func cancelling(_ number: UInt64, _ work: Task<Void, Never>) {
    open[number]?.work = work
    open[number]?.call.whenCancelled { work.cancel() }
  }

  func answer(_ number: UInt64, _ result: Result<some ReplyMessage, Status>) {
    guard let call = open.removeValue(forKey: number)?.call else { return }
    switch result {
    case .success(let reply): call.reply(reply)
    case .failure(let status): call.fail(status)
    }
  }
}
