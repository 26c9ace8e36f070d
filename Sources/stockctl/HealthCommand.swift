import ArgumentParser
import Wire

/// `stockctl health`
struct HealthCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health", abstract: "Asks whether the server sells, or whether it lives.",
    discussion: """
      Exit code 0: selling, though perhaps degraded; 7: not selling, or no hold can begin.
      """)

  @OptionGroup var server: ServerOptions
  @Option(help: "Ask about one service or method: stock.v1.Stock, stock.v1.Reservations/Reserve.")
  var service = ""
  @Flag(help: "Ask only whether the process turns, whatever its store does.")
  var live = false

  func validate() throws {
    guard !live || service.isEmpty else {
      throw ValidationError("--live asks about the process; leave --service out")
    }
  }

  func run() async throws {
    guard !live else {
      _ = try await server.call(PingRequest())
      return Output(json: server.json).print([("status", .text("LIVE"))])
    }
    let reply = try await server.call(HealthCheckRequest(service: service))
    Output(json: server.json).print([
      ("status", .text(reply.status?.name ?? "UNSPECIFIED")),
      ("warnings", .list(reply.warnings)), ("version", .text(reply.version)),
    ])
    if reply.status == .notServing || reply.status == nil { throw ExitReason.unreachable.exit }
    guard service.isEmpty, reply.status == .degraded else { return }
    // A worker, which takes no holds, and an older server do not know the method.
    let beginning = try await server.caller().ask(
      HealthCheckRequest(service: ReserveRequest.method))
    if beginning?.status == .notServing { throw ExitReason.unreachable.exit }
  }
}
