import Audit
import Inventory
import Logging
import Loop
import Wire

/// The work behind the repairs of the audit, on a queue of its own: a plan may take seconds, and dead letters
/// do not wait for it.
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

  func plan(for sku: SKU) throws(Status) -> PlanRepairReply {
    do throws(AuditFault) { return PlanRepairReply(try auditor.plan(for: sku)) } catch {
      throw error.status(logger)
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
      throw error.status(logger)
    }
  }
}

extension DifferenceInfo {
  init(_ difference: Difference) {
    self.init(
      kind: difference.kind.rawValue, sku: difference.sku, hold: difference.hold ?? "",
      found: difference.found,
      letters: Array(difference.letters.prefix(AdministrationLimits.lettersOfDifferenceMax)))
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
