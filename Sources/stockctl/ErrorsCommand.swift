import ArgumentParser
import Wire

/// `stockctl errors`
struct ErrorsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errors",
    abstract: "Lists every exit code and every reason for a failure, with what to do about it.",
    discussion: """
      A failure whose outcome is unknown ends with 8, whatever its reason: it may have been done.
      """)

  @Flag(help: "Print one JSON object a line.") var json = false
  @Argument(help: "Only this reason, such as STORE_FENCED, or this exit code.") var name: String?

  func run() throws {
    let codes = ExitReason.allCases.filter { name == nil || name == "\($0.rawValue)" }
    let reasons = ErrorReason.all.filter {
      name == nil || name?.uppercased() == $0.reason || name == "\($0.exit.rawValue)"
    }
    guard !codes.isEmpty || !reasons.isEmpty else {
      throw ValidationError("'\(name ?? "")' is no reason and no exit code")
    }
    let output = Output(json: json)
    if codes.isEmpty, reasons.count == 1 { return output.print(reasons[0].fields) }
    output.reading(codes.map(\.fields))
    if !json, !codes.isEmpty, !reasons.isEmpty { StandardOutput.line("") }
    output.reading(reasons.map(\.fields))
  }
}

extension ExitReason {
  fileprivate var fields: Output.Fields {
    [
      ("exit_code", .number(Int64(rawValue))), ("when", .text(meaning)),
      ("what_to_do", .text(advice)),
    ]
  }
}

extension ErrorReason {
  fileprivate var fields: Output.Fields {
    [
      ("exit_code", .number(Int64(exit.rawValue))), ("status", .text(code.name)),
      ("reason", .text(reason)), ("when", .text(when)), ("what_to_do", .text(advice)),
    ]
  }
}
