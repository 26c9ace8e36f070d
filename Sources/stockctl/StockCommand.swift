import ArgumentParser
import FoundationEssentials
import Wire

/// `stockctl stock …`
struct StockCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stock", abstract: "Sets, shows, watches and adopts the stock of a SKU.",
    subcommands: [Set.self, Get.self, Adopt.self, StockWatchCommand.self])

  struct Set: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Sets the units available; the units supplied move by the same amount.")

    @OptionGroup var server: ServerOptions
    @Argument(help: "The SKU.") var sku: String
    @Argument(help: "Units available from now on.") var available: UInt64
    @Option(help: "Makes repeating safe; a new one is made up when left out.")
    var requestID: String?

    func run() async throws {
      let request = SetStockRequest(
        sku: sku, available: available, requestID: requestID ?? UUID().uuidString)
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
