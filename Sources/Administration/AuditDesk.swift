import Audit
import Inventory
import Logging
import Loop
import Wire

/// The work behind the calls of the audit, on a queue of its own: an audit may take seconds, and dead
/// letters do not wait for it.
actor AuditDesk {
  private let executor = LoopExecutor(label: "stockworker.audit_calls")
  private let auditor: Auditor
  private let logger: Logger

  nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  init(_ settings: AuditSettings, logger: Logger) {
    auditor = Auditor(settings)
    self.logger = logger
  }

  func run() throws(Status) -> RunAuditReply {
    do throws(AuditFault) { return RunAuditReply(try auditor.examine()) } catch {
      throw failed(error)
    }
  }

  func plan(for sku: SKU) throws(Status) -> PlanRepairReply {
    do throws(AuditFault) { return PlanRepairReply(try auditor.plan(for: sku)) } catch {
      throw failed(error)
    }
  }

  func repair(_ wanted: WantedRepair) throws(Status) -> RepairReply {
    do throws(AuditFault) {
      let outcome = try auditor.repair(
        wanted.sku, plan: wanted.plan, actor: wanted.actor, reason: wanted.reason)
      logger.notice(
        "repaired",
        metadata: [
          "sku": "\(wanted.sku)", "entries": "\(outcome.written.count)",
          "left": "\(outcome.left.count)", "actor": "\(wanted.actor)", "plan": "\(wanted.plan)",
        ])
      return RepairReply(outcome)
    } catch {
      throw failed(error)
    }
  }

  private func failed(_ fault: AuditFault) -> Status {
    switch fault {
    case .interrupted(let fault):
      var status = failed(fault)
      status.outcomeUnknown = true
      return status
    case .redis, .books:
      logger.warning("an audit on demand has failed", metadata: ["reason": "\(fault)"])
      var status = Status(
        .unavailable, reason: "STORE_UNREACHABLE", message: "The stock store cannot be reached.",
        retryable: true, retryAfterMs: 1_000)
      if case .books = fault {
        (status.reason, status.message) = ("BOOKS_UNREACHABLE", "The books cannot be reached.")
      }
      return status
    case .storeRefuses:
      logger.warning("redis refuses a repair", metadata: ["reason": "\(fault)"])
      return Status(
        .unavailable, reason: "STORE_REFUSED",
        message: "The stock store refuses to write; nothing was written.", retryable: true,
        retryAfterMs: 1_000)
    case .busy:
      return Status(
        .unavailable, reason: "REPAIR_BUSY", message: "Another repair is under way.",
        retryable: true, retryAfterMs: 1_000)
    case .planChanged(let plan):
      return Status(
        .aborted, reason: "PLAN_CHANGED",
        message: "Nothing was written, since something else would be by now: look at plan "
          + "\(plan.id).", field: "plan")
    case .refused(let plan):
      return Status(
        .failedPrecondition, reason: "REPAIR_REFUSED",
        message: "Nothing was written: " + plan.refusals.prefix(3).joined(separator: "; ") + ".")
    }
  }
}

extension DifferenceInfo {
  fileprivate init(_ difference: Difference) {
    self.init(
      kind: difference.kind.rawValue, sku: difference.sku, hold: difference.hold ?? "",
      found: difference.found,
      letters: Array(difference.letters.prefix(AdministrationLimits.lettersOfDifferenceMax)))
  }
}

extension RunAuditReply {
  fileprivate init(_ report: AuditReport) {
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

extension PlanRepairReply {
  fileprivate init(_ plan: RepairPlan) {
    self.init()
    self.plan = plan.id
    differences = plan.differences.prefix(AuditLimits.differencesMax).map { DifferenceInfo($0) }
    entries = plan.entries.map(\.text)
    refusals = Array(plan.refusals.prefix(AdministrationLimits.refusalsMax))
    advice = Array(plan.advice.prefix(AdministrationLimits.refusalsMax))
  }
}

extension RepairReply {
  fileprivate init(_ outcome: RepairOutcome) {
    self.init()
    written = outcome.written.map { "\($0.at) \($0.entry.text)" }
    stoppedAt = outcome.stoppedAt?.text ?? ""
    undecided = outcome.undecided ?? ""
    left = outcome.left.prefix(AuditLimits.differencesMax).map { DifferenceInfo($0) }
  }
}
