public import Logging
public import Wire

/// Logs calls that failed inside the server, as errors; calls that took too long, as warnings; and
/// every call at the level debug.  Lives on the loop's queue.
///
/// Each kind gets `linesPerSecondMax`: a server whose store is slow must not be slowed by saying so.
/// What was left out is counted, and said with the next line.
public final class CallLog: CallObserver {
  /// A call that takes longer is logged, unless the user sets otherwise: milliseconds.
  public static let slowMsDefault: UInt64 = 1_000
  /// Lines of failed calls in a second, and as many of slow ones.
  static let linesPerSecondMax = 20
  /// Bytes of a header that are logged.
  private static let headerBytesMax = 128

  private let logger: Logger
  private let slowNs: UInt64
  private let logsAll: Bool
  private var failed = LineAllowance()
  private var slow = LineAllowance()

  /// - Parameter slowMs: what takes longer is logged; 0: nothing is too slow.
  public init(slowMs: UInt64, logger: Logger) {
    self.logger = logger
    slowNs = slowMs == 0 ? .max : slowMs * 1_000_000
    logsAll = logger.logLevel <= .debug
  }

  /// See `CallObserver`.
  public func ended(_ call: CallRecord, _ status: Status?, now: UInt64) {
    let elapsed = now &- call.beganAt
    if let status, status.code == .internal {
      guard let omitted = failed.line(now) else { return }
      log(.error, "call failed", call, status, elapsed, omitted)
    } else if elapsed > slowNs, !call.isStream {
      guard let omitted = slow.line(now) else { return }
      log(.warning, "slow call", call, status, elapsed, omitted)
    } else if logsAll {
      log(.debug, "call", call, status, elapsed, 0)
    }
  }

  private func log(
    _ level: Logger.Level, _ message: Logger.Message, _ call: CallRecord, _ status: Status?,
    _ elapsed: UInt64, _ omitted: Int
  ) {
    var fields: Logger.Metadata = [
      "method": "\(call.method)", "ms": "\(Double(elapsed / 1_000) / 1_000)",
      "status": "\(status?.code.name ?? "OK")", "peer": "\(call.peer)",
    ]
    if let status {
      fields["reason"] = "\(status.reason)"
      if level == .error { fields["message"] = "\(status.message)" }
    }
    for key in [Metadata.requestIDKey, Metadata.traceParentKey] {
      if let value = call.metadata[key] { fields[key] = "\(Self.printable(value))" }
    }
    if omitted > 0 { fields["omitted"] = "\(omitted)" }
    logger.log(level: level, message, metadata: fields)
  }

  /// What a caller writes must not look like lines of the log.
  private static func printable(_ text: String) -> String {
    String(
      decoding: text.utf8.prefix(headerBytesMax).map { (0x21...0x7E).contains($0) ? $0 : 0x3F },
      as: UTF8.self)
  }
}

/// Lines that may still be written in this second.
struct LineAllowance {
  private var second: UInt64 = 0
  private var written = 0
  private var omitted = 0

  /// - Parameter now: nanoseconds of CLOCK_MONOTONIC.
  /// - Returns: how many were left out before this line; nil: leave it out.
  mutating func line(_ now: UInt64) -> Int? {
    if now / 1_000_000_000 != second { (second, written) = (now / 1_000_000_000, 0) }
    guard written < CallLog.linesPerSecondMax else {
      omitted += 1
      return nil
    }
    written += 1
    defer { omitted = 0 }
    return omitted
  }
}
