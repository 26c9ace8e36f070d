import ArgumentParser
import Inventory
import RPC
import Synchronization
import Wire

/// `stockctl events …`
struct EventsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events", abstract: "Shows what happens in the shop.", subcommands: [Tail.self])

  struct Tail: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints every event that comes, until it is interrupted.",
      discussion: """
        Goes on by itself after a lost connection; an event may come twice then, under the same id.  \
        With --json, lines without an event say where to resume.

        Several filters of a kind are one or the other, filters of different kinds all hold.  What \
        this version cannot read is printed whatever the filter.
        """,
      aliases: ["follow"])

    @OptionGroup var server: ServerOptions
    @Option(help: "Begin after this token.") var after: String?
    @Flag(help: "Begin with the earliest event that there is.") var fromEarliest = false
    @Option(help: "Only events of this type, such as HOLD_CREATED; may be repeated.")
    var type: [String] = []
    @Option(help: "Only events about this SKU; may be repeated.") var sku: [String] = []
    @Option(help: "Only events of this user's holds; may be repeated.") var user: [String] = []
    @Option(help: "Only events of this hold; may be repeated.") var hold: [String] = []
    @Option(help: "End after so many events; 0: never.") var count = 0

    func validate() throws {
      for name in type where EventType(rawValue: name) == nil {
        let known = EventType.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("--type: '\(name)' is none of \(known)")
      }
      guard count >= 0 else { throw ValidationError("--count: 0 or more") }
    }

    func run() async throws {
      let request = FollowRequest(
        after: after ?? "", fromEarliest: fromEarliest,
        types: type.compactMap { EventType(rawValue: $0) }, skus: sku)
      let shown = Shown(after: after)
      let (server, count) = (server, count)
      let isWanted = wanted
      try await server.follow({ $0.follow(request) }, shown) { item in
        let isEvent = !item.type.isEmpty
        guard isEvent ? isWanted(item) : server.json else { return true }
        item.print(json: server.json)
        guard isEvent else { return true }
        return shown.add() != count
      }
    }

    /// The server knows types and SKUs; the rest is looked at here.
    private var wanted: @Sendable (FollowItem) -> Bool {
      let (users, holds) = (Set(user), Set(hold))
      return { item in
        guard let event = item.event, !(users.isEmpty && holds.isEmpty) else { return true }
        guard case .hold(_, let hold) = event else { return false }
        return (users.isEmpty || users.contains(hold.user.text))
          && (holds.isEmpty || holds.contains { item.id.hasPrefix("\($0)/") })
      }
    }
  }
}

/// `stockctl stock watch SKU…`
struct StockWatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Prints the figures of SKUs, and again when they change.",
    discussion: """
      Until it is interrupted.  Goes on by itself after a lost connection.  A token, which --json prints \
      with each line, and everybody gets when interrupted, stands for what has been shown of all these \
      SKUs: with --after nothing is printed again if that is still true, else every SKU.
      """)

  @OptionGroup var server: ServerOptions
  @Argument(help: "The SKUs, up to 256.") var skus: [String]
  @Option(help: "Go on after this token, of the same SKUs.") var after: String?
  @Option(help: "End after so many lines; 0: never.") var count = 0

  func run() async throws {
    let shown = Shown(after: after)
    let (server, skus, after, count) = (server, skus, after ?? "", count)
    try await server.follow({ $0.watch(skus: skus, after: after) }, shown) { update in
      Output(json: server.json).printLine(
        [("outcome", .text(update.outcome?.name ?? "UNSPECIFIED"))] + update.stock.fields
          + (update.isClosed ? [("closed", .flag(true))] : [])
          + (server.json ? [("token", .text(update.token))] : []))
      return shown.add() != count
    }
  }
}

/// How far a stream has been shown.
private final class Shown: Sendable {
  private let state: Mutex<(lines: Int, token: String)>

  init(after token: String?) { state = Mutex((0, token ?? "")) }

  var lines: Int { state.withLock { $0.lines } }
  var token: String { state.withLock { $0.token } }

  /// - Returns: how many lines there have been, this one included.
  func add() -> Int {
    state.withLock { state in
      state.lines += 1
      return state.lines
    }
  }

  func reached(_ token: String) { state.withLock { $0.token = token } }
}

/// Says on standard error that nothing comes because the server is away: not at once, since a server that
/// is restarted, or a connection that is renewed, is back in a moment.
private final class Absence: Sendable {
  private static let patience = Duration.seconds(1)

  private let json: Bool
  private let state = Mutex<(since: Int, isAway: Bool, isSaid: Bool)>((0, false, false))

  init(json: Bool) { self.json = json }

  /// - Parameter status: why the stream broke off; nil: it goes on.
  func tell(_ status: Status?) {
    guard let status else {
      let wasSaid = state.withLock { state in
        defer { (state.isAway, state.isSaid) = (false, false) }
        return state.isSaid
      }
      if wasSaid { Output(json: json).note("the server is back") }
      return
    }
    let since = state.withLock { state in
      (state.since, state.isAway) = (state.since + 1, true)
      return state.since
    }
    Task {
      try await Task.sleep(for: Self.patience)
      let isStillAway = state.withLock { state in
        state.isSaid = state.isAway && state.since == since
        return state.isSaid
      }
      if isStillAway { Output(json: json).note("waiting for the server: \(status.message)") }
    }
  }
}

/// An item that says where to resume after it.
private protocol TokenItem { var token: String { get } }
extension FollowItem: TokenItem {}
extension StockUpdate: TokenItem {}

extension ServerOptions {
  /// Reads a stream for as long as `take` says, somebody reads what is printed, and nobody interrupts.
  /// A failure is printed, and becomes the exit code.
  fileprivate func follow<Request: ResumableRequest>(
    _ begin: (StockClient) -> ResumingStream<Request>, _ shown: Shown,
    _ take: @escaping @Sendable (Request.Reply) -> Bool
  ) async throws where Request.Reply: TokenItem {
    // Streams wait for their server; a server that was never there is said at once.
    _ = try await call(PingRequest())
    let client = StockClient(to: try serverAddress(), options: Caller.options)
    var items = begin(client)
    let away = Absence(json: json)
    items.watcher = { away.tell($0) }
    let reading = Task { [items] in
      for try await item in items {
        guard take(item), StandardOutput.isOpen else { return }
        shown.reached(item.token)
      }
    }
    let interruption = try Interruption { reading.cancel() }
    let reader = Task {
      while StandardOutput.isOpen { try await Task.sleep(for: .milliseconds(200)) }
      reading.cancel()
    }
    defer { reader.cancel() }
    do {
      try await reading.value
      await client.close()
    } catch let status as Status {
      await client.close()
      guard StandardOutput.isOpen else { return }
      guard !interruption.hasCome else {
        let resume = shown.token.isEmpty ? "" : "; go on with --after \(shown.token)"
        Output(json: json).note("interrupted after \(shown.lines.counted("line"))\(resume)")
        return try interruption.finish()
      }
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
      case nil: fields.append(("unread_bytes", .number(unread.count)))
      }
      if !traceparent.isEmpty { fields.append(("traceparent", .text(traceparent))) }
    }
    fields.append(("token", .text(token)))
    Output(json: json).printLine(fields)
  }
}
