import Audit
import Dispatch
import Logging
import Loop
import Synchronization
import Wire

/// Audits of everything, one at a time, each for all who have asked before it began.  One may take longer
/// than a call may: then it goes on after the answer, and whoever asks again waits for the same.
///
/// Any thread may ask.
final class AuditRuns: Sendable {
  private struct State {
    /// The number of the last audit that somebody wants, that has begun, and that has ended.
    var (wanted, begun, ended): (UInt64, UInt64, UInt64) = (0, 0, 0)
    /// What the last one that has ended has found.
    var result: Result<AuditReport, AuditFault>?
    /// How far the one that has begun is.
    var (records, rows) = (0, 0)
    var began = monotonicNow()
  }

  private let auditor: Auditor
  private let logger: Logger
  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "stockworker.audit_runs")

  init(_ settings: AuditSettings, logger: Logger) {
    auditor = Auditor(settings)
    self.logger = logger
  }

  /// Waits for an audit that begins from now on, or for the one that was asked for before.
  /// - Parameters:
  ///   - run: its number; 0, or one that nobody has asked for: a new one.
  ///   - deadline: by `monotonicNow`; when it has not ended by then, the answer says so.
  func reply(to run: UInt64, deadline: UInt64) async throws(Status) -> RunAuditReply {
    let number = want(run)
    let now = monotonicNow()
    let margin = min(
      AdministrationLimits.auditMarginMs * 1_000_000, (deadline - min(now, deadline)) / 2)
    while true {
      let state = state.withLock { $0 }
      if state.ended >= number, let result = state.result {
        do throws(AuditFault) { return RunAuditReply(try result.get()) } catch {
          throw error.status(logger)
        }
      }
      if Task.isCancelled || monotonicNow() + margin >= deadline {
        var reply = RunAuditReply()
        (reply.run, reply.verdict) = (number, AuditReport.Verdict.undecided.rawValue)
        reply.undecided = "the audit is under way"
        (reply.records, reply.rows) = (state.records, state.rows)
        reply.tookMs = (monotonicNow() - state.began) / 1_000_000
        return reply
      }
      try? await Task.sleep(for: .milliseconds(AdministrationLimits.auditLookMs))
    }
  }

  /// - Returns: the number of the audit to wait for.
  private func want(_ run: UInt64) -> UInt64 {
    let (number, isIdle) = state.withLock { state in
      if run > 0, run <= state.wanted { return (run, false) }
      let isIdle = state.wanted == state.ended
      state.wanted = state.begun + 1
      return (state.wanted, isIdle)
    }
    if isIdle { queue.async { self.work() } }
    return number
  }

  private func work() {
    while begin() {
      let result = Result { () throws(AuditFault) in
        try auditor.examine { records, rows in
          state.withLock { ($0.records, $0.rows) = (records, rows) }
        }
      }
      state.withLock { ($0.ended, $0.result) = ($0.begun, result) }
    }
  }

  private func begin() -> Bool {
    state.withLock { state in
      guard state.begun < state.wanted else { return false }
      state.begun += 1
      (state.records, state.rows, state.began) = (0, 0, monotonicNow())
      return true
    }
  }
}

extension RunAuditReply {
  init(_ report: AuditReport) {
    self.init()
    verdict = report.verdict.rawValue
    undecided = report.undecided ?? ""
    (at, upTo) = (Int64(clamping: report.at), "\(report.upTo)")
    differences = report.differences.map { DifferenceInfo($0) }
    counts = report.counts.map { Count(kind: $0.kind.rawValue, count: $0.count) }
    explained = report.explained
    (skus, records, rows) = (report.skus, report.records, report.rows)
    tookMs = report.tookMs
  }
}
