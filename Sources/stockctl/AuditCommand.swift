import ArgumentParser
import FoundationEssentials
import Wire

/// `stockctl audit`
struct AuditCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Compares Redis with the books, and repairs a SKU by compensating entries.",
    discussion: """
      Asks a worker.  Changes nothing, unless told --repair with a --reason: then what --sku has shown \
      is written as entries of their own, each with who and why, after a yes; where there is more than one plan \
      may hold, plan by plan, until nothing is left or a plan has mended nothing.  Exit codes: 0 all agrees; 11 something differs; 10 it cannot tell yet.
      """)

  @OptionGroup var worker: WorkerOptions
  @Option(help: "What differs about this SKU, and what a repair would write.") var sku: String?
  @Flag(help: "Repair the SKU: the dry run first, then, after a yes, what it has shown.")
  var repair = false
  @Option(help: "With --repair: why, in your words.") var reason: String?
  @Option(help: "With --repair: who you are. [USER]") var actor: String?
  @Flag(help: "Write what the dry run shows, without asking.") var yes = false

  func validate() throws {
    guard !repair || sku != nil else { throw ValidationError("--repair takes one --sku") }
    guard !yes || repair else { throw ValidationError("--yes goes with --repair") }
    guard !yes || reason != nil else { throw ValidationError("--repair --yes needs a --reason") }
    // Before a dry run that may take long.
    guard !writes || actor ?? environment("USER") != nil else {
      throw ValidationError("USER is not set: say --actor")
    }
  }

  func run() async throws {
    guard let sku else { return try await audit() }
    let plan = try await worker.call(PlanRepairRequest(sku: sku))
    show(plan)
    if repair, !plan.refusals.isEmpty { throw refused(plan) }
    guard writes, !plan.entries.isEmpty else {
      if repair, !yes, !plan.entries.isEmpty {
        say([
          ("written", .number(0)), ("hint", .text("say --yes and --reason to write these entries")),
        ])
      }
      if plan.differs || !plan.refusals.isEmpty { throw ExitReason.differs.exit }
      return
    }
    try await repair(plan, of: sku)
  }

  /// Whether it is more than a dry run: somebody has said yes, or can be asked.
  private var writes: Bool {
    repair && (yes || (reason != nil && Terminal.input.isTerminal && Terminal.errors.isTerminal))
  }

  /// Carries out one plan after the other, since each has so many entries at most, until nothing is left
  /// that entries can end, or a plan has mended nothing.
  private func repair(_ first: PlanRepairReply, of sku: String) async throws {
    let progress = Progress("repairing \(sku)", .things)
    defer { progress.finish() }
    var plan = first
    while true {
      try Confirmation.ask("These entries would be written for good", yes: yes)
      let outcome = try await carryOut(plan, of: sku)
      progress.advance(by: outcome.written.count)
      guard outcome.left.contains(where: { $0.letters.isEmpty }) || !outcome.stoppedAt.isEmpty
      else { return say([("verdict", .text("BALANCED"))]) }
      let next = try await worker.call(PlanRepairRequest(sku: sku))
      guard next.differs else { return say([("verdict", .text("BALANCED"))]) }
      let isIdle = outcome.written.isEmpty || next.subjects.isSuperset(of: plan.subjects)
      guard !isIdle, next.refusals.isEmpty, !next.entries.isEmpty else {
        show(next)
        say([("verdict", .text("DIFFERS"))])
        throw next.refusals.isEmpty ? ExitReason.differs.exit : refused(next)
      }
      if yes { progress.note("a next plan of \(next.entries.count)") } else { show(next) }
      plan = next
    }
  }

  /// Carries out one plan, and says what was written.
  private func carryOut(_ plan: PlanRepairReply, of sku: String) async throws -> RepairReply {
    let outcome = try await worker.call(
      RepairRequest(
        sku: sku, plan: plan.plan, actor: actor ?? environment("USER") ?? "",
        reason: reason ?? ""),
      reading: Self.reading)
    for line in outcome.written { say([("written", .text(line))]) }
    if !outcome.stoppedAt.isEmpty { say([("stopped_before", .text(outcome.stoppedAt))]) }
    guard outcome.undecided.isEmpty else {
      say([("undecided", .text(outcome.undecided))])
      throw ExitReason.exhausted.exit
    }
    return outcome
  }

  /// As the worker would answer.
  private func refused(_ plan: PlanRepairReply) -> ExitCode {
    let status = Status(
      .failedPrecondition, reason: "REPAIR_REFUSED",
      message: "Nothing was written: " + plan.refusals.prefix(3).joined(separator: "; ") + ".")
    Output(json: worker.json).failure(status)
    return ExitReason(status).exit
  }

  /// The same plan again never tells what became of an attempt whose answer was lost; a new one does.
  private static func reading(_ status: Status) -> Status {
    guard status.reason == "PLAN_CHANGED", status.outcomeUnknown else { return status }
    var status = status
    status.outcomeUnknown = false
    status.message += " An attempt before this one, which was not answered, may have written some."
    return status
  }

  private func audit() async throws {
    let report = try await wholeReport()
    for difference in report.differences { say(difference.fields) }
    Output(json: worker.json).print([
      ("verdict", .text(report.verdict)), ("undecided", .text(report.undecided)),
      ("differences", .number(Int64(report.counts.reduce(0) { $0 + $1.count }))),
      ("kinds", .list(report.counts.map { "\($0.kind)=\($0.count)" })),
      ("explained", .number(Int64(report.explained))), ("skus", .number(Int64(report.skus))),
      ("records", .number(Int64(report.records))), ("rows", .number(Int64(report.rows))),
      ("up_to", .text(report.upTo)), ("audited_at", .number(report.at)),
      ("took_ms", .number(report.tookMs)),
    ])
    switch report.verdict {
    case "BALANCED": return
    case "UNDECIDED": throw ExitReason.exhausted.exit
    default: throw ExitReason.differs.exit
    }
  }

  /// What takes longer than a call may is asked for again.
  private func wholeReport() async throws -> RunAuditReply {
    let progress = Progress("comparing the holds of both stores", .things)
    defer { progress.finish() }
    var report = try await worker.call(RunAuditRequest())
    var passed = 0
    while report.run > 0 {
      let now = report.records + report.rows
      if now > passed { progress.advance(by: now - passed) }
      passed = max(passed, now)
      report = try await worker.call(RunAuditRequest(run: report.run))
    }
    return report
  }

  private func show(_ plan: PlanRepairReply) {
    for difference in plan.differences { say(difference.fields) }
    for entry in plan.entries { say([("would_write", .text(entry))]) }
    for refusal in plan.refusals { say([("refused", .text(refusal))]) }
    for advice in plan.advice { say([("advice", .text(advice))]) }
    say([
      ("plan", .text(plan.plan)), ("differences", .number(Int64(plan.differences.count))),
      ("entries", .number(Int64(plan.entries.count))),
    ])
  }

  private func say(_ fields: Output.Fields) { Output(json: worker.json).printLine(fields) }
}

extension PlanRepairReply {
  /// Whether anything differs that no dead letter explains.
  fileprivate var differs: Bool { differences.contains { $0.letters.isEmpty } }

  /// What differs, whatever the figures are that are found.
  fileprivate var subjects: Set<[String]> {
    Set(differences.filter { $0.letters.isEmpty }.map { [$0.kind, $0.sku, $0.hold] })
  }
}

extension DifferenceInfo {
  fileprivate var fields: Output.Fields {
    [("kind", .text(kind)), ("sku", .text(sku))]
      + (hold.isEmpty ? [] : [("hold", .text(hold))])
      + (letters.isEmpty ? [] : [("letters", .list(letters))]) + [("found", .text(found))]
  }
}
