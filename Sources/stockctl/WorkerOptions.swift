import ArgumentParser
import RPC
import Wire

/// What every command that talks to a worker takes.
struct WorkerOptions: ParsableArguments {
  @Option(help: "The worker, host:port or unix:/path. [STOCK_WORKER_ADDRESS, or 127.0.0.1:7421]")
  var address: String?

  @Flag(help: "Print one JSON object a line, with the names of the .proto files.")
  var json = false

  @Option(help: "How long to wait for an answer, in milliseconds, at most 60000.")
  var timeoutMs: UInt32 = 60_000

  /// Makes one call; a failure is printed, and becomes the exit code.
  func call<Request: RequestMessage & Sendable>(_ request: Request) async throws -> Request.Reply {
    try await Caller(
      address: address ?? environment("STOCK_WORKER_ADDRESS") ?? "127.0.0.1:7421", json: json,
      timeoutMs: timeoutMs
    ).call(request)
  }
}
