import Logging

/// Whether a worker still says how far the books are, which each does every second (`inventory.worker`).
///
/// How it works.  What counts is when Redis's figures were last seen to change, by this machine's clock: a
/// clock that is set is no silence.  Where nobody has ever spoken, as in a shop without a worker, nobody is
/// missed.
///
/// A value without a clock.
struct WorkerSilence {
  /// Longer than this, in milliseconds, is too long.
  let limitMs: UInt64

  private var said: String?
  private var worker = ""
  /// Nanoseconds of CLOCK_MONOTONIC.
  private var since: UInt64 = 0
  private var isMissed = false
  private var wasAway = false

  init(limitMs: UInt64) { self.limitMs = limitMs }

  /// Asks for when a worker has spoken last, and which.
  static func question(about keys: KeySpace) -> [String] {
    ["HMGET", keys.workerFigures, "at", "worker"]
  }

  /// Redis has answered the question; who begins to be missed, or is heard again, is logged.
  /// - Parameter now: nanoseconds of CLOCK_MONOTONIC.
  mutating func heard(_ reply: RedisReply, at now: UInt64, _ logger: Logger) {
    let (at, name) = reply.count == 2 ? (reply[0].text, reply[1].text) : (nil, nil)
    let isHeard = look(at: at, worker: name ?? "", now: now)
    if isHeard, isMissed {
      isMissed = false
      logger.notice("a worker is heard again")
    } else if !isMissed, let warning = warnings(now: now).first {
      isMissed = true
      logger.warning("DEGRADED: \(warning)")
    }
  }

  /// - Parameters:
  ///   - at: when a worker has spoken last, in its own words; nil: none ever has.
  ///   - now: nanoseconds of CLOCK_MONOTONIC.
  /// - Returns: whether one has spoken since the last look.
  mutating func look(at: String?, worker: String, now: UInt64) -> Bool {
    let isHeard = said != at
    if isHeard { (said, self.worker) = (at, worker) }
    if isHeard || wasAway { since = now }
    wasAway = false
    return isHeard
  }

  /// Redis could not be looked at for a while: who was there before is given the whole time again.
  mutating func wasNotSeen() { wasAway = !isMissed }

  /// That nobody is heard; empty: somebody is, or nobody ever was.
  func warnings(now: UInt64) -> [String] {
    let silentMs = (now - min(since, now)) / 1_000_000
    guard said != nil, silentMs > limitMs else { return [] }
    return [
      "no worker has been heard for \(silentMs / 1_000) s (the last: \(worker)): is one running, or does "
        + "it hang?"
    ]
  }
}
