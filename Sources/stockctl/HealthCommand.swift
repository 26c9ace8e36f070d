import ArgumentParser
import Wire

/// `stockctl health`
struct HealthCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health", abstract: "Asks whether the server sells.",
    discussion: "Exit code 0: selling, though perhaps degraded; 7: not selling.")

  @OptionGroup var server: ServerOptions

  func run() async throws {
    let reply = try await server.call(HealthCheckRequest())
    Output(json: server.json).print([
      ("status", .text(reply.status?.name ?? "UNSPECIFIED")),
      ("warnings", .list(reply.warnings)), ("version", .text(reply.version)),
    ])
    if reply.status == .notServing || reply.status == nil { throw ExitReason.unreachable.exit }
  }
}
