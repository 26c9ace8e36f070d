public import Logging

/// Tells the log when something stops working and when it works again, not every attempt between.
///
/// How it works.  Each reason of one outage is logged once.  Where reasons keep changing, the first few are
/// logged as they come, and then one a minute.
public struct Outage: Sendable {
  /// Reasons of one outage that are logged as they come.
  static let reasonsMax = 8
  /// How often a further one is.
  static let furtherEvery = Duration.seconds(60)

  private var reasons: Set<String> = []
  private var toldAt = ContinuousClock.now

  /// Nothing is wrong yet.
  public init() {}

  /// Something was tried and has failed: logged, unless the log knows it.
  /// - Parameters:
  ///   - what: cannot be done.
  ///   - now: when; given by tests.
  ///   - file: whose matter it is, for the log.
  public mutating func began(
    _ what: String, _ reason: String, _ logger: Logger, at now: ContinuousClock.Instant = .now,
    file: String = #fileID
  ) {
    let text = "\(what): \(reason)"
    guard !reasons.contains(text) else { return }
    if reasons.count < Self.reasonsMax {
      reasons.insert(text)
    } else if now < toldAt + Self.furtherEvery {
      return
    }
    toldAt = now
    logger.warning("\(what); trying again", metadata: ["reason": "\(reason)"], file: file)
  }

  /// It works, or works again: the end of an outage is logged, if there was one.  Call when that which
  /// failed has succeeded, and for nothing less.
  /// - Parameters:
  ///   - what: works again; nil: the caller logs that itself.
  ///   - file: as above.
  public mutating func ended(_ what: String?, _ logger: Logger, file: String = #fileID) {
    guard !reasons.isEmpty else { return }
    reasons.removeAll()
    if let what { logger.notice("\(what)", file: file) }
  }
}
