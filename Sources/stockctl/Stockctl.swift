import ArgumentParser
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
    ])
}

/// What every command that talks to the server takes.
struct ServerOptions: ParsableArguments {
  @Option(help: "The server, host:port or unix:/path. [STOCK_ADDRESS, or 127.0.0.1:7420]")
  var address: String?

  @Flag(help: "Print one JSON object a line, with the names of the .proto files.")
  var json = false

  @Option(help: "How long to wait, in milliseconds.")
  var timeoutMs: UInt32 = 5_000

  /// Where to connect.
  func serverAddress() throws -> Address { try caller().address }

  /// Makes one call; a failure is printed, and becomes the exit code.
  func call<Request: RequestMessage & Sendable>(
    _ request: Request
  ) async throws -> Request.Reply {
    try await caller().call(request)
  }

  private func caller() throws -> Caller {
    try Caller(
      address: address ?? environment("STOCK_ADDRESS") ?? "127.0.0.1:7420", json: json,
      timeoutMs: timeoutMs)
  }
}
