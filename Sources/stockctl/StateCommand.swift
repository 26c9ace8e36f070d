import ArgumentParser
import FoundationEssentials
import Wire

/// `stockctl state`
struct StateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "state",
    abstract: "Shows the server as it is now: shards, methods, connections, settings.",
    discussion: """
      Counters count from the start of the server.  Times are to within a sixteenth, the longest \
      exactly.  With --json the answer is one object, with the names of diagnostics.proto.
      """)

  @OptionGroup var server: ServerOptions
  @Option(help: "Connections to list, the busiest first, at most 1000.")
  var connections = 20

  func validate() throws {
    guard (1...StateRequest.connectionsMax).contains(connections) else {
      throw ValidationError("--connections: 1 to \(StateRequest.connectionsMax)")
    }
  }

  func run() async throws {
    let state = try await server.call(StateRequest(connectionsMax: connections))
    guard !server.json else {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      encoder.keyEncodingStrategy = .convertToSnakeCase
      return StandardOutput.line(String(decoding: try encoder.encode(state), as: UTF8.self))
    }
    StateText(state).lines(width: Terminal.output.width).forEach(StandardOutput.line)
  }
}
