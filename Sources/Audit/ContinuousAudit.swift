import HotPath
import Inventory
import Ledger
public import Logging
public import Projection

/// The audit that goes on as long as its worker, beside the sale.
///
/// How it works.  Of all workers one audits, which a lock in PostgreSQL decides.  Every few seconds it
/// compares the figures of all SKUs and looks again at what has differed.  After anybody has written into
/// one of the stores it passes the holds that have moved of late, as fast as it may.  Past all holds of both
/// stores it walks again and again, slowly.  Each of the three takes a quarter of the time at most.
/// New differences are an alarm in the log; what there is stands in the hash `inventory.audit`.
///
/// `run` keeps its thread until the flag is raised.
public final class ContinuousAudit {
  private let settings: AuditSettings
  private let stop: StopFlag
  private let logger: Logger
  private var told: Set<Difference> = []
  private var trouble: String?
  private var isSaid = false
  /// Movements in the books at the last round: there are no more holds than that.
  private var movements = 0

  /// An audit that `stop` will end.
  public init(_ settings: AuditSettings, stop: StopFlag, logger: Logger) {
    self.settings = settings
    self.stop = stop
    self.logger = logger
  }

  /// Audits until `stop` is raised.  While a store is away, or another worker audits, it keeps trying.
  public func run() {
    while !stop.isRaised {
      do {
        let stores = try Stores(settings)
        guard try stores.books.tryLock("audit") else {
          isSaid = false
          stop.sleep(ms: AuditLimits.retryMs)
          continue
        }
        // Not for each attempt while something else is in its way.
        if !isSaid { logger.info("auditing", metadata: ["every_ms": "\(settings.everyMs)"]) }
        isSaid = true
        try audit(Examination(in: stores))
      } catch {
        cannotTell("\(AuditFault(error))")
        stop.sleep(ms: AuditLimits.retryMs)
      }
    }
  }

  private func audit(_ examination: Examination) throws {
    var (round, recent, walk) = (Turn(), Turn(), Turn())
    var lap = (start: ContinuousClock.now, tookMs: UInt64(0))
    while !stop.isRaised {
      try round.take(everyMs: settings.everyMs) {
        try compareStock(examination)
        try tell(examination, lapMs: lap.tookMs)
      }
      if examination.writes.wantPass, !examination.isStuck {
        try recent.take(everyMs: fastStepMs) { try stepInRecent(examination) }
      }
      let pace = pace(of: examination.lap)
      try walk.take(everyMs: pace.everyMs) { [count = examination.lap.count] in
        if examination.isStuck { return }
        try examination.step(pace.holds)
        guard examination.lap.count > count else { return }
        lap = (.now, lap.start.elapsedMs)
        try examination.judgeSuspects()
        try tell(examination, lapMs: lap.tookMs)
      }
      if let due = examination.suspectsDue, due <= .now {
        try examination.judgeSuspects()
        try tell(examination, lapMs: lap.tookMs)
      }
      let next = [
        round.due, walk.due, examination.suspectsDue,
        examination.writes.wantPass && !examination.isStuck ? recent.due : nil,
      ].compactMap { $0 }.min()!
      stop.sleep(ms: (next - .now).milliseconds)
    }
  }

  private func stepInRecent(_ examination: Examination) throws {
    if examination.recent == nil { examination.writes.passBegins() }
    guard try examination.stepInRecent() else { return }
    examination.writes.passEnds()
    try examination.judgeSuspects()
  }

  /// How often the set pace has a step.
  private var fastStepMs: UInt64 {
    max(UInt64(AuditLimits.stepHoldsMax) * 1000 / settings.holdsPerSecond, 1)
  }

  /// How the lap goes on: the first one as fast as it may, so that there is something to say; the others so
  /// that they end within their time.
  private func pace(of lap: Lap) -> (holds: Int, everyMs: UInt64) {
    guard lap.count > 0 else { return (AuditLimits.stepHoldsMax, fastStepMs) }
    return Self.pace(
      past: max(lap.records, lap.rows, movements), withinMs: settings.lapMs,
      holdsPerSecond: settings.holdsPerSecond)
  }

  /// - Parameters:
  ///   - holds: how many a lap passes.
  ///   - lapMs: how long it may take.
  ///   - holdsPerSecond: the most that it may pass.
  static func pace(
    past holds: Int, withinMs lapMs: UInt64, holdsPerSecond: UInt64
  ) -> (holds: Int, everyMs: UInt64) {
    let perSecond = min(
      max(UInt64(holds) * 1000 / lapMs + 1, AuditLimits.lapHoldsPerSecondMin), holdsPerSecond)
    let step = min(
      max(perSecond * AuditLimits.lapStepMs / 1000, 1), UInt64(AuditLimits.stepHoldsMax))
    return (Int(step), max(step * 1000 / perSecond, 1))
  }

  /// How long to leave the stores alone.
  /// - Parameters:
  ///   - tookMs: how long the step has taken.
  ///   - stepMs: how often the set pace has a step.
  static func pauseMs(after tookMs: UInt64, ofStep stepMs: UInt64) -> UInt64 {
    max(stepMs - min(tookMs, stepMs - 1), tookMs * (AuditLimits.timeShare - 1))
  }

  private func compareStock(_ examination: Examination) throws {
    let sums = examination.sums
    try examination.writes.look(examination.stores, round: sums.round + 1)
    examination.beginRound()
    try examination.judgeFound()
    guard examination.undecided == nil else { return }
    let isSettled = sums.areAll(since: examination.writes.sumsFrom)
    let perSecond =
      isSettled
      ? max(UInt64(movements) * 1000 / settings.lapMs, AuditLimits.sumRowsPerSecondMin)
      : AuditLimits.sumRowsPerSecond
    try examination.compareStock(
      rowsMax: Int(perSecond * settings.everyMs / 1000),
      haveBooksChanged: examination.writes.haveBooksChanged)
    movements = sums.rows
  }

  /// Says what there is to say, in the log and in Redis.
  private func tell(_ examination: Examination, lapMs: UInt64) throws {
    var report = try examination.report(tookMs: lapMs)
    // After a fault the walk begins anew, and what was found before may be found again.
    let isWhole = examination.lap.count > 0
    tell(report, isWhole: isWhole)
    if !isWhole, report.undecided == nil { report.undecided = "the first lap is under way" }
    try publish(report, through: examination.stores)
  }

  /// Says what is new, and what is gone.
  private func tell(_ report: AuditReport, isWhole: Bool) {
    if let undecided = report.undecided {
      cannotTell(undecided)
    } else if trouble != nil, isWhole {
      trouble = nil
      logger.notice("the audit can tell again")
    }
    // The texts hold figures that move while a difference stays: each is told once.
    func key(_ one: Difference) -> Difference {
      var key = Difference(one.kind, sku: one.sku, hold: one.hold, "")
      key.letters = one.letters
      return key
    }
    let now = Set(report.differences.map(key))
    let new = report.differences.filter { !told.contains(key($0)) }
    for difference in new.prefix(AuditLimits.alarmsMax) { alarm(difference) }
    if new.count > AuditLimits.alarmsMax {
      logger.error("ALARM: more differences", metadata: ["count": "\(new.count)"])
    }
    guard report.undecided == nil, isWhole else { return told.formUnion(now) }
    let gone = told.subtracting(now)
    if !gone.isEmpty {
      logger.notice(
        "differences are gone", metadata: ["gone": "\(gone.count)", "left": "\(now.count)"])
    }
    told = now
  }

  private func alarm(_ difference: Difference) {
    var metadata: Logger.Metadata = [
      "kind": "\(difference.kind.rawValue)", "sku": "\(difference.sku)",
      "found": "\(difference.found)",
    ]
    if let hold = difference.hold { metadata["hold"] = "\(hold)" }
    guard difference.isExplained else {
      return logger.error("ALARM: the store and the books differ", metadata: metadata)
    }
    metadata["letters"] = "\(difference.letters.prefix(5).joined(separator: ","))"
    logger.warning("a dead letter explains a difference", metadata: metadata)
  }

  private func cannotTell(_ reason: String) {
    guard trouble == nil else { return }
    trouble = reason
    logger.warning("the audit cannot tell yet", metadata: ["reason": "\(reason)"])
  }

  private func publish(_ report: AuditReport, through stores: Stores) throws {
    let kinds = report.counts.map { "\($0.kind.rawValue)=\($0.count)" }.joined(separator: " ")
    try stores.store.publish([
      ("verdict", report.verdict.rawValue),
      ("differences", "\(report.count)"),
      ("kinds", kinds),
      ("explained", "\(report.explained)"),
      ("undecided", report.undecided ?? ""),
      ("up_to", "\(report.upTo)"),
      ("skus", "\(report.skus)"),
      ("records", "\(report.records)"),
      ("rows", "\(report.rows)"),
      ("lap_ms", "\(report.tookMs)"),
      ("worker", settings.name),
      ("at", "\(report.at)"),
    ])
    logger.debug(
      "audited",
      metadata: [
        "verdict": "\(report.verdict.rawValue)", "skus": "\(report.skus)",
        "records": "\(report.records)", "rows": "\(report.rows)", "lap_ms": "\(report.tookMs)",
      ])
  }
}

/// A kind of work with a time of its own.
private struct Turn {
  private(set) var due = ContinuousClock.now

  /// Works if it is time.
  /// - Parameter everyMs: how often; where the stores have much to do, so seldom that it takes a quarter of
  ///   the time.
  mutating func take(everyMs: UInt64, _ work: () throws -> Void) rethrows {
    let began = ContinuousClock.now
    guard began >= due else { return }
    try work()
    due = .now + .milliseconds(ContinuousAudit.pauseMs(after: began.elapsedMs, ofStep: everyMs))
  }
}
