import ArgumentParser
import RPC

/// `stockctl context …`
struct ContextCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "context", abstract: "Remembers shops by name: addresses and timeouts.",
    discussion: """
      Kept in $XDG_CONFIG_HOME/stockstream/contexts.json (~/.config), which only its owner may read.

      The command line outranks the environment, the environment the current context, and that the \
      defaults; --context is the command line.
      """,
    subcommands: [Add.self, Use.self, List.self, Remove.self, Show.self])

  struct Add: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Remembers a shop.")

    @Argument(help: "Its name: letters, digits, '.', '_' and '-'.") var name: String
    @Option(help: "Its server, host:port or unix:/path.") var address: String?
    @Option(help: "Its worker, host:port or unix:/path.") var workerAddress: String?
    @Option(help: "How long to wait for the server, in milliseconds.") var timeoutMs: UInt32?
    @Option(help: "How long to wait for the worker, in milliseconds.") var workerTimeoutMs: UInt32?
    @Flag(help: "Work in it from now on.") var use = false
    @Flag(help: "Take the place of a context of that name.") var replace = false
    @Flag(help: "Print one JSON object.") var json = false

    private var context: Context {
      Context(
        address: address, workerAddress: workerAddress, timeoutMs: timeoutMs,
        workerTimeoutMs: workerTimeoutMs)
    }

    func validate() throws {
      guard Context.isName(name) else {
        throw ValidationError(
          "'\(name)' is no name: 1 to \(Context.nameBytesMax) letters, digits, '.', '_' and '-'")
      }
      if let fault = context.fault { throw ValidationError("'\(name)': \(fault)") }
    }

    func run() throws {
      try ContextFile.change { contexts in
        guard replace || contexts.contexts[name] == nil else {
          throw ValidationError("there is a context '\(name)' already: say --replace")
        }
        contexts.contexts[name] = context
        if use { contexts.current = name }
      }
      Output(json: json).print([("name", .text(name)), ("current", .flag(use))] + context.fields)
      if use { Endpoint.sayWhatComesFirst(of: name) }
    }
  }

  struct Use: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Works in a context from now on, or in none.")

    @Argument(help: "Its name.", completion: .contexts) var name: String?
    @Flag(help: "Work in none.") var none = false
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
      guard (name == nil) == none else { throw ValidationError("name a context, or say --none") }
    }

    func run() throws {
      try ContextFile.change { contexts in
        if let name { _ = try contexts.named(name) }
        contexts.current = name
      }
      Output(json: json).print([("current", name.map { .text($0) } ?? .none)])
      if let name { Endpoint.sayWhatComesFirst(of: name) }
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Lists the contexts.")

    @Flag(help: "Print one JSON object a line.") var json = false

    func run() throws {
      let all = try ContextFile.read()
      let named = all.contexts.sorted { $0.key < $1.key }
      Output(json: json).table(
        named.map { name, context in
          [("name", .text(name)), ("current", .flag(name == all.current))] + context.fields
        })
    }
  }

  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Forgets a context.")

    @Argument(help: "Its name.", completion: .contexts) var name: String
    @Flag(help: "Print one JSON object.") var json = false

    func run() throws {
      try ContextFile.change { contexts in
        _ = try contexts.named(name)
        contexts.contexts[name] = nil
        if contexts.current == name { contexts.current = nil }
      }
      Output(json: json).print([("removed", .text(name))])
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Shows a context, or what is in force now, and where it comes from.")

    @Argument(help: "Its name; left out: what a command would use now.", completion: .contexts)
    var name: String?
    @Flag(help: "Print one JSON object a line.") var json = false

    func run() throws {
      if let name {
        let context = try ContextFile.read().named(name)
        return Output(json: json).print([("name", .text(name))] + context.fields)
      }
      var rows: [(String, String, String)] = []
      if let active = try ActiveContext.find(named: nil) {
        rows.append(("context", active.name, active.from))
      }
      for peer in Endpoint.Peer.allCases {
        let prefix = peer == .server ? "" : "worker_"
        do {
          let endpoint = try Endpoint(of: peer, address: nil, timeoutMs: nil, context: nil)
          rows.append(("\(prefix)address", "\(endpoint.address)", endpoint.addressFrom))
          rows.append(("\(prefix)timeout_ms", "\(endpoint.timeoutMs)", endpoint.timeoutFrom))
        } catch let fault as ValidationError {
          rows.append(("\(prefix)address", "", fault.message))
        }
      }
      Output(json: json).table(
        rows.map { [("setting", .text($0)), ("value", .text($1)), ("from", .text($2))] })
    }
  }
}

extension Endpoint {
  /// The environment names addresses: who has chosen a context would ask somebody else.
  fileprivate static func sayWhatComesFirst(of context: String) {
    let variables = Peer.allCases.map(\.addressVariable) + ["STOCK_CONTEXT"]
    let said = variables.filter { environment($0) != nil }
    guard !said.isEmpty else { return }
    Output(json: false).note(
      """
      the environment comes first, and has \(said.joined(separator: " and ")): \
      unset \(said.joined(separator: " ")), or say --context \(context)
      """)
  }
}

extension Context {
  fileprivate var fields: Output.Fields {
    [
      ("address", .text(address ?? "")), ("worker_address", .text(workerAddress ?? "")),
      ("timeout_ms", timeoutMs.map { .number(UInt64($0)) } ?? .none),
      ("worker_timeout_ms", workerTimeoutMs.map { .number(UInt64($0)) } ?? .none),
    ]
  }
}
