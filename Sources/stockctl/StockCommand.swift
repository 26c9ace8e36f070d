import ArgumentParser
import FoundationEssentials
import Wire

/// `stockctl stock …`
struct StockCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stock", abstract: "Sets, adjusts, shows, lists, watches and retires stock.",
    subcommands: [
      Set.self, Adjust.self, Get.self, StockListCommand.self, StockWatchCommand.self, Retire.self,
      Adopt.self, StockHistoryCommand.self, ImportCommand.self, ExportCommand.self,
    ])

  struct Set: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Sets the units available; the units supplied move by the same amount.",
      discussion: """
        Brings a retired SKU back on sale.  With --if-available nothing is done unless so many are \
        available: exit code 6.
        """)

    @OptionGroup var server: ServerOptions
    @OptionGroup var attribution: AttributionOptions
    @Argument(help: "The SKU.") var sku: String
    @Argument(help: "Units available from now on.") var available: UInt64
    @Option(help: "Only if so many units are available now.") var ifAvailable: UInt64?
    @Option(help: "Makes repeating safe; a new one is made up when left out.")
    var requestID: String?

    func run() async throws {
      let request = SetStockRequest(
        sku: sku, available: available, requestID: requestID ?? UUID().uuidString,
        ifAvailable: ifAvailable, reason: attribution.reason, actor: attribution.actorName)
      try server.show(try await server.call(request), sku: sku)
    }
  }

  struct Adjust: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Adds units to those available, or takes some away.",
      discussion: """
        When fewer are available than would be taken away nothing is done: exit code 3.
        """)

    @OptionGroup var server: ServerOptions
    @OptionGroup var attribution: AttributionOptions
    @Argument(help: "The SKU.") var sku: String
    @Option(parsing: .unconditional, help: "Units more, or, when negative, fewer: --by -3.")
    var by: Int64
    @Option(help: "Makes repeating safe; a new one is made up when left out.")
    var requestID: String?

    func run() async throws {
      let request = AdjustStockRequest(
        sku: sku, delta: by, requestID: requestID ?? UUID().uuidString,
        reason: attribution.reason, actor: attribution.actorName)
      try server.show(try await server.call(request), sku: sku)
    }
  }

  struct Retire: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Takes a SKU off sale: no new holds begin.",
      discussion: "Its units stay where they are, and its holds go on.  'stock set' brings it back."
    )

    @OptionGroup var server: ServerOptions
    @OptionGroup var attribution: AttributionOptions
    @Argument(help: "The SKU.") var sku: String
    @Option(help: "Makes repeating safe; a new one is made up when left out.")
    var requestID: String?
    @Flag(help: "Do not ask.") var yes = false

    func run() async throws {
      try Confirmation.ask("\(sku) would be taken off sale", yes: yes)
      let request = RetireStockRequest(
        sku: sku, requestID: requestID ?? UUID().uuidString, reason: attribution.reason,
        actor: attribution.actorName)
      try server.show(try await server.call(request), sku: sku)
    }
  }

  struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Shows the figures of a SKU.")

    @OptionGroup var server: ServerOptions
    @Argument(help: "The SKU.") var sku: String

    func run() async throws {
      try server.show(try await server.call(GetStockRequest(sku: sku)), sku: sku)
    }
  }

  struct Adopt: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Accepts the figure that stands in Redis as the units available.",
      discussion: "A SKU whose stock:<sku> was changed by hand is closed until this is done.")

    @OptionGroup var server: ServerOptions
    @Argument(help: "The SKU.") var sku: String

    func run() async throws {
      try server.show(try await server.call(AdoptStockRequest(sku: sku)), sku: sku)
    }
  }
}

extension ServerOptions {
  fileprivate func show(_ reply: StockReply, sku: String) throws {
    let fields: Output.Fields = reply.stock?.fields ?? [("sku", .text(sku))]
    Output(json: json).print(
      [("outcome", .text(reply.outcome?.name ?? "UNSPECIFIED"))] + fields)
    try ExitReason(reply.outcome).finish()
  }
}
