import HotPath
import Inventory
import Ledger
public import Logging
public import Projection

/// The audit that goes on as long as its worker, beside the sale.
///
/// How it works.  Of all workers one audits, which a lock in PostgreSQL decides.  It walks past the
/// holds of both stores at a set pace, again and again, and every few seconds compares the figures of
/// all SKUs and looks again at what has differed.  New differences are an alarm in the log; what there
/// is stands in the hash `inventory.audit`.
///
/// `run` keeps its thread until the flag is raised.
public final class ContinuousAudit {
  private let settings: AuditSettings
  private let stop: StopFlag
  private let logger: Logger
  private var told: Set<Difference> = []
  private var trouble: String?
  private var isSaid = false

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
    var round = ContinuousClock.now
    var lap = (start: round, count: examination.laps, tookMs: UInt64(0))
    let stepMs = max(UInt64(AuditLimits.stepHoldsMax) * 1000 / settings.holdsPerSecond, 1)
    while !stop.isRaised {
      let began = ContinuousClock.now
      if began >= round {
        round = began + .milliseconds(settings.everyMs)
        try compareStock(examination)
        try tell(examination, lapMs: lap.tookMs)
      }
      if try examination.step() { try tell(examination, lapMs: lap.tookMs) }
      var pauseMs = Self.pauseMs(after: began.elapsedMs, ofStep: stepMs)
      if examination.laps.store > lap.count.store, examination.laps.books > lap.count.books {
        lap = (.now, examination.laps, lap.start.elapsedMs)
        try examination.judgeSuspects()
        try tell(examination, lapMs: lap.tookMs)
        // A small shop is passed in no time; the rest of the round is for the sale.
        pauseMs = max(pauseMs, (round - .now).milliseconds)
        lap.start += .milliseconds(pauseMs)
      }
      stop.sleep(ms: pauseMs)
    }
  }

  /// How long to leave the stores alone.
  /// - Parameters:
  ///   - tookMs: how long the step has taken.
  ///   - stepMs: how often the set pace has a step.
  static func pauseMs(after tookMs: UInt64, ofStep stepMs: UInt64) -> UInt64 {
    max(stepMs - min(tookMs, stepMs - 1), tookMs * (AuditLimits.timeShare - 1))
  }

  private func compareStock(_ examination: Examination) throws {
    examination.beginRound()
    try examination.judgeFound()
    let rowsMax = AuditLimits.sumRowsPerSecond * Int(settings.everyMs) / 1000
    if examination.undecided == nil { try examination.compareStock(rowsMax: rowsMax) }
  }

  /// Says what there is to say, in the log and in Redis.
  private func tell(_ examination: Examination, lapMs: UInt64) throws {
    var report = try examination.report(tookMs: lapMs)
    // After a fault the walk begins anew, and what was found before may be found again.
    let isWhole = examination.laps.store > 0 && examination.laps.books > 0
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
