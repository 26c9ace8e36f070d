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
      is written as entries of their own, each with who and why, after a yes.  Exit codes: 0 all agrees; 11 something differs; 10 it cannot tell yet.
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
  }

  func run() async throws {
    guard let sku else { return try await audit() }
    let plan = try await worker.call(PlanRepairRequest(sku: sku))
    show(plan)
    if repair, !plan.refusals.isEmpty { throw refused(plan) }
    let differs = plan.differences.contains { $0.letters.isEmpty }
    guard repair, !plan.entries.isEmpty, yes || (Terminal.input.isTerminal && reason != nil) else {
      if repair, !yes, !plan.entries.isEmpty {
        say([
          ("written", .number(0)), ("hint", .text("say --yes and --reason to write these entries")),
        ])
      }
      if differs || !plan.refusals.isEmpty { throw ExitReason.differs.exit }
      return
    }
    guard let actor = actor ?? environment("USER") else {
      throw ValidationError("USER is not set: say --actor")
    }
    try Confirmation.ask("These entries would be written for good", yes: yes)
    let outcome = try await worker.call(
      RepairRequest(sku: sku, plan: plan.plan, actor: actor, reason: reason ?? ""),
      reading: Self.reading)
    for line in outcome.written { say([("written", .text(line))]) }
    if !outcome.stoppedAt.isEmpty { say([("stopped_before", .text(outcome.stoppedAt))]) }
    for difference in outcome.left { say([("left", .text("yes"))] + difference.fields) }
    if !outcome.undecided.isEmpty {
      say([("undecided", .text(outcome.undecided))])
      throw ExitReason.exhausted.exit
    }
    let isLeft = outcome.left.contains { $0.letters.isEmpty }
    say([("verdict", .text(isLeft ? "DIFFERS" : "BALANCED"))])
    if isLeft || !outcome.stoppedAt.isEmpty { throw ExitReason.differs.exit }
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
    let report = try await worker.call(RunAuditRequest())
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

extension DifferenceInfo {
  fileprivate var fields: Output.Fields {
    [("kind", .text(kind)), ("sku", .text(sku))]
      + (hold.isEmpty ? [] : [("hold", .text(hold))])
      + (letters.isEmpty ? [] : [("letters", .list(letters))]) + [("found", .text(found))]
  }
}
