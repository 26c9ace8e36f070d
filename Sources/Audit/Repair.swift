import HotPath
public import Inventory
import Ledger

extension Auditor {
  /// Carries out the plan that a dry run has shown, by compensating entries alone: each is an event in
  /// the stream, written by the same script as what it changes in Redis, and the worker brings it into
  /// the books.  Nothing is deleted anywhere.
  ///
  /// Killed in the middle, or with a store lost in the middle, it leaves whole entries: what is left
  /// differs still, and the next plan has it.  The same plan a second time finds that it has changed.
  /// - Parameters:
  ///   - plan: `RepairPlan.id` of the dry run.
  ///   - actor: who asks for it.
  ///   - reason: why, in that person's words.
  /// - Throws: `.planChanged` when something else would be written now; `.refused` when nothing may be;
  ///   `.busy`; `.redis`, `.books` or `.storeRefuses` when one of them went away or refused before anything
  ///   was written; `.interrupted` when entries may have been: then plan again.
  public func repair(
    _ sku: SKU, plan id: String, actor: Label, reason: Label
  ) throws(AuditFault) -> RepairOutcome {
    try withExamination { examination in
      let stores = examination.stores
      guard try stores.books.tryLock("repair") else { throw AuditFault.busy }
      let plan = try examination.plan(for: sku)
      guard plan.refusals.isEmpty else { throw AuditFault.refused(plan) }
      guard plan.id == id else { throw AuditFault.planChanged(plan) }
      var outcome = RepairOutcome()
      try stores.write(plan.entries, actor: actor, reason: reason, &outcome)
      do {
        try examination.look(at: plan, after: &outcome)
      } catch {
        // What was written is known, and worth more than what cannot be said of it.
        outcome.undecided = AuditFault(error).forCallers
      }
      return outcome
    }
  }
}

extension Examination {
  /// Whether a repair has helped, once the books have its entries.
  fileprivate func look(at plan: RepairPlan, after outcome: inout RepairOutcome) throws {
    if let last = outcome.written.last?.at,
      let why = try stores.settle(to: last, withinMs: AuditLimits.repairMsMax)
    {
      outcome.undecided = why
      return
    }
    try judge(plan.differences.compactMap(\.hold).uniqued())
    try judge(skus: [plan.sku])
    outcome.undecided = undecided
    outcome.left = found.values.flatMap { $0 }.filter { $0.sku == plan.sku.text }
  }
}

extension Stores {
  /// Writes the entries in their order, up to one whose hold or SKU has changed.
  /// - Throws: `.storeRefuses` when nothing was written; else `.interrupted`.
  fileprivate func write(
    _ entries: [RepairPlan.Entry], actor: Label, reason: Label, _ outcome: inout RepairOutcome
  ) throws(AuditFault) {
    for entry in entries {
      do throws(StreamFault) {
        guard let at = try write(entry, actor: actor, reason: reason) else {
          outcome.stoppedAt = entry
          return
        }
        outcome.written.append((entry, at))
      } catch {
        guard outcome.written.isEmpty, error.isRefusedAtOnce else {
          throw .interrupted(AuditFault(error))
        }
        throw .storeRefuses(error.description)
      }
    }
  }

  /// Writes one entry.
  /// - Returns: its place in the stream; nil: its hold or SKU has changed, and nothing was written.
  func write(
    _ entry: RepairPlan.Entry, actor: Label, reason: Label
  ) throws(StreamFault) -> StreamID? {
    switch entry {
    case .hold(let hold, let expected, let found, let books):
      try store.write(
        HoldCorrection(
          hold: hold, expected: expected,
          correction: Correction(actor: actor, reason: reason, found: found, books: books)))
    case .stock(let sku, let expected, let added, let books, let found):
      try store.write(
        StockCorrection(
          sku: sku, expected: expected, store: added,
          correction: Correction(actor: actor, reason: reason, found: found, books: books)))
    }
  }
}

extension Array where Element: Hashable {
  /// Each once.
  fileprivate func uniqued() -> [Element] { Array(Set(self)) }
}
