import ArgumentParser
import Inventory
import RPC
import Wire

/// `stockctl events …`
struct EventsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events", abstract: "Shows what happens in the shop.", subcommands: [Follow.self])

  struct Follow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints every event that comes, until it is interrupted.",
      discussion: """
        Goes on by itself after a lost connection; an event may come twice then, under the same id.
        With --json, lines without an event say where to resume.
        """)

    @OptionGroup var server: ServerOptions
    @Option(help: "Begin after this token.") var after: String?
    @Flag(help: "Begin with the earliest event that there is.") var fromEarliest = false
    @Option(help: "Only events of this type, such as HOLD_CREATED; may be repeated.")
    var type: [String] = []
    @Option(help: "Only events about this SKU; may be repeated.") var sku: [String] = []
    @Option(help: "End after so many events; 0: never.") var count = 0

    func validate() throws {
      for name in type where EventType(rawValue: name) == nil {
        let known = EventType.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("--type: '\(name)' is none of \(known)")
      }
    }

    func run() async throws {
      let request = FollowRequest(
        after: after ?? "", fromEarliest: fromEarliest,
        types: type.compactMap { EventType(rawValue: $0) }, skus: sku)
      var left = count
      try await server.follow({ $0.follow(request) }) { item in
        if server.json || !item.type.isEmpty { item.print(json: server.json) }
        if !item.type.isEmpty { left -= 1 }
        return left != 0 || count == 0
      }
    }
  }
}

/// `stockctl stock watch SKU…`
struct StockWatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Prints the figures of SKUs, and again when they change.",
    discussion: "Until it is interrupted.  Goes on by itself after a lost connection.")

  @OptionGroup var server: ServerOptions
  @Argument(help: "The SKUs, up to 256.") var skus: [String]
  @Option(help: "End after so many lines; 0: never.") var count = 0

  func run() async throws {
    var left = count
    try await server.follow({ $0.watch(skus: skus) }) { update in
      Output(json: server.json).printLine(
        [("outcome", .text(update.outcome?.name ?? "UNSPECIFIED"))] + update.stock.fields
          + (update.isClosed ? [("closed", .text("true"))] : [])
          + (server.json ? [("token", .text(update.token))] : []))
      left -= 1
      return left != 0 || count == 0
    }
  }
}

extension ServerOptions {
  /// Reads a stream for as long as `take` says; a failure is printed, and becomes the exit code.
  fileprivate func follow<Request: ResumableRequest>(
    _ begin: (StockClient) -> ResumingStream<Request>, _ take: (Request.Reply) -> Bool
  ) async throws {
    var options = StockClient.Options()
    options.name = "stockctl/\(Stockctl.configuration.version)"
    let client = StockClient(to: try serverAddress(), options: options)
    do {
      for try await item in begin(client) where !take(item) { break }
      await client.close()
    } catch let status as Status {
      await client.close()
      Output(json: json).failure(status)
      throw ExitReason(status).exit
    }
  }
}

extension FollowItem {
  fileprivate func print(json: Bool) {
    var fields: Output.Fields = []
    if !type.isEmpty {
      fields += [("event_type", .text(type)), ("event_id", .text(id)), ("time", .number(time))]
      switch event {
      case .hold(_, let hold):
        fields += [
          ("sku", .text(hold.sku.text)), ("qty", .number(hold.qty)),
          ("user_id", .text(hold.user.text)), ("status", .text(hold.status.name)),
          ("expires_at", .number(hold.expiresAt)),
        ]
        if let payment = hold.paymentRef { fields.append(("payment_ref", .text(payment.text))) }
      case .stock(_, let change):
        fields += StockLevel(sku: change.sku.text, figures: change.figures).fields
        fields.append(("delta", .number(change.delta)))
      case nil: fields.append(("unread_bytes", .number(Int64(unread.count))))
      }
      if !traceparent.isEmpty { fields.append(("traceparent", .text(traceparent))) }
    }
    fields.append(("token", .text(token)))
    Output(json: json).printLine(fields)
  }
}
