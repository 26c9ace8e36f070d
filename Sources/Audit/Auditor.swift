import Inventory

/// The audit and its repairs on demand.
///
///     let auditor = Auditor(settings)
///     let report = try auditor.examine()                     // everything, as it is now
///     let plan = try auditor.plan(for: sku)                  // the dry run; writes nothing
///     let outcome = try auditor.repair(sku, plan: plan.id, actor: actor, reason: reason)
///
/// Every call makes its own connections, blocks its thread until it is done (a second for every
/// hundred thousand holds or so, and up to `AuditLimits.settleMsMax` for the books), and may be made
/// from any thread, at any time, beside the sale, the worker and the continuous audit.
public struct Auditor: Sendable {
  let settings: AuditSettings

  /// An auditor of these stores; connects only when it is asked to do something.
  public init(_ settings: AuditSettings) { self.settings = settings }

  /// Compares everything in both stores, and changes nothing.
  /// - Parameter passed: is told how many records of Redis and rows of the books have been passed.
  /// - Throws: `.redis` or `.books` while one of them is away.
  public func examine(
    passed: (_ records: Int, _ rows: Int) -> Void = { _, _ in }
  ) throws(AuditFault) -> AuditReport {
    try withExamination { examination in
      let start = ContinuousClock.now
      try examination.examineAll(passed: passed)
      return try examination.report(tookMs: start.elapsedMs)
    }
  }

  func withExamination<Result>(
    _ body: (Examination) throws -> Result
  ) throws(AuditFault) -> Result {
    do {
      return try body(Examination(in: try Stores(settings)))
    } catch {
      throw AuditFault(error)
    }
  }
}

extension ContinuousClock.Instant {
  /// Whole milliseconds from then to now.
  var elapsedMs: UInt64 { (ContinuousClock.now - self).milliseconds }
}

extension Duration {
  /// Whole milliseconds; 0 for less than none.
  var milliseconds: UInt64 {
    UInt64(clamping: components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000)
  }
}
