import ArgumentParser
import Glibc
import RPC
import Wire

/// The command line of the service.
@main
struct Stockctl: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stockctl",
    abstract: "Sets stock, reserves, confirms and cancels, and asks how the service is.",
    discussion: ExitReason.table,
    version: Release.version,
    subcommands: [
      StockCommand.self, ReserveCommand.self, ConfirmCommand.self, CancelCommand.self,
      HoldCommand.self, EventsCommand.self, HealthCommand.self, StateCommand.self,
      DescribeCommand.self, DeadCommand.self, AuditCommand.self, BenchCommand.self,
      ContextCommand.self, ErrorsCommand.self,
    ])

  static func main() async {
    StandardOutput.occupy()
    // A reader that leaves is noticed by the write, which fails.
    signal(SIGPIPE, SIG_IGN)
    var code = ExitReason.done.rawValue
    var isUnderstood = false
    do {
      var command = try await asyncParseAsRoot(nil)
      isUnderstood = true
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      code = report(error, isUnderstood: isUnderstood)
    }
    Glibc.exit(StandardOutput.end(code))
  }

  /// Says why a command ended before its end, unless that has been said.
  /// - Parameter isUnderstood: the command line is as it should be: how to write it is not the answer.
  /// - Returns: the exit code.
  private static func report(_ error: any Error, isUnderstood: Bool) -> Int32 {
    if let code = error as? ExitCode { return code.rawValue }
    let code = exitCode(for: error).rawValue
    if code == ExitReason.done.rawValue {
      StandardOutput.line(fullMessage(for: error))
    } else if CommandLine.arguments.contains("--json") {
      Output(json: true).misuse(message(for: error) + hint(to: message(for: error)))
    } else if isUnderstood, error is ValidationError {
      StandardError.line("Error: \(message(for: error))")
    } else {
      // The message, and then how to write it.
      var lines = fullMessage(for: error).split(separator: "\n", omittingEmptySubsequences: false)
      lines[0] += hint(to: message(for: error))
      StandardError.line(lines.joined(separator: "\n"))
    }
    return code
  }

  /// Where a negative number stands for an argument, the parser says no more than that it is missing.
  private static func hint(to message: String) -> String {
    let words = CommandLine.arguments
    let negative = words.indices.dropFirst().first { place in
      words[place].first == "-" && words[place].dropFirst().first?.isNumber == true
        && !words[place - 1].hasPrefix("--")
    }
    guard message.hasPrefix("Missing expected"), let negative else { return "" }
    return " ('\(words[negative])' was taken for an option, as it begins with '-')"
  }
}

/// What every command that talks to the server takes.
struct ServerOptions: ParsableArguments {
  @Option(
    help: "The server, host:port or unix:/path. [STOCK_ADDRESS, the context, or 127.0.0.1:7420]")
  var address: String?

  @OptionGroup var context: ContextOption

  @Flag(help: "Print one JSON object a line, with the names of the .proto files.")
  var json = false

  @Option(help: "How long to wait, in ms. [STOCK_TIMEOUT_MS, the context, or 5000]")
  var timeoutMs: UInt32?

  /// Where to connect.
  func serverAddress() throws -> Address { try endpoint().address }

  /// Makes one call; a failure is printed, and becomes the exit code.
  func call<Request: RequestMessage & Sendable>(
    _ request: Request
  ) async throws -> Request.Reply {
    try await caller().call(request)
  }

  /// What makes the calls of a command.
  func caller() throws -> Caller { Caller(try endpoint(), json: json) }

  /// Where to connect, and how long to wait.
  func endpoint() throws -> Endpoint {
    try Endpoint(of: .server, address: address, timeoutMs: timeoutMs, context: context.name)
  }
}

/// What every command that talks to a worker takes.
struct WorkerOptions: ParsableArguments {
  @Option(
    help: """
      The worker, host:port or unix:/path. [STOCK_WORKER_ADDRESS, the context, or 127.0.0.1:7421]
      """)
  var address: String?

  @OptionGroup var context: ContextOption

  @Flag(help: "Print one JSON object a line, with the names of the .proto files.")
  var json = false

  @Option(help: "How long to wait, in ms. [STOCK_WORKER_TIMEOUT_MS, the context, or 60000]")
  var timeoutMs: UInt32?

  /// Makes one call; a failure is printed, and becomes the exit code.
  /// - Parameter reading: what a failure means for this call.
  func call<Request: RequestMessage & Sendable>(
    _ request: Request, reading: (Status) -> Status = { $0 }
  ) async throws -> Request.Reply {
    try await caller().call(request, reading: reading)
  }

  /// What makes the calls of a command.
  func caller() throws -> Caller {
    let endpoint = try Endpoint(
      of: .worker, address: address, timeoutMs: timeoutMs, context: context.name)
    return Caller(endpoint, json: json)
  }
}
