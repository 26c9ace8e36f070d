/// When a loop has looked at its descriptors, and since when what it finds may have waited there.
///
/// How it works.  What a look finds has come since the look before; usually just now, since the loop
/// is woken for it.  When the loop was away (its process was stopped, it had no core, a pass was
/// long), it may have waited all that time.  Two things tell: a timer that is overdue, and, within a
/// pass, a look that comes later than its wait explains.  The absence began before it could be seen,
/// and is taken to have lasted up to twice as long, but not from before the last look.  A loop that
/// rests is woken by its timers, so that rest is not taken for absence.
///
/// What came meanwhile may need more than one look to be found: a full look, or a descriptor that
/// says so, leaves some for the next.
///
/// A value without a clock; `EventLoop` owns one.  Times are nanoseconds of CLOCK_MONOTONIC.
struct Looks {
  /// Less than this is no absence: a core that was busy with something else.
  static let absenceNsMin: UInt64 = 20_000_000
  /// Looks after an absence that may find what came in it: as many as the connections that the kernel
  /// keeps at the door take.
  private static let followingMax = 64

  private(set) var lastAt: UInt64
  /// What the last look found has waited since then at most.
  private(set) var readableSince: UInt64
  private var following = 0
  /// The last look has not taken everything that was there.
  var leftSome = false

  init(now: UInt64) { (lastAt, readableSince) = (now, now) }

  /// The loop had been away when it looked last, and what it finds may have waited.
  var wasAway: Bool { readableSince < lastAt }

  /// The set has been looked at.
  /// - Parameters:
  ///   - due: when the earliest timer should have fired; nil: there is none.
  ///   - waitedNs: how long the look may have waited, where it follows another one of the same pass.
  ///   - isFull: more may have been ready than was found.
  mutating func looked(_ now: UInt64, due: UInt64?, waitedNs: UInt64?, isFull: Bool) {
    let goesOn = wasAway && leftSome && following > 0
    leftSome = isFull
    defer { lastAt = now }
    if goesOn {
      following -= 1
      return
    }
    var lateNs = due.map { now > $0 ? now - $0 : 0 } ?? 0
    if let waitedNs, now > lastAt + waitedNs { lateNs = max(lateNs, now - lastAt - waitedNs) }
    readableSince = now
    guard lateNs >= Self.absenceNsMin else { return }
    readableSince = max(lastAt, now - min(now, 2 * lateNs))
    following = Self.followingMax
  }
}
