import ArgumentParser
import Inventory
import Wire

/// `stockctl stock history SKU`
struct StockHistoryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history",
    abstract: "Shows what has moved a SKU's figures, newest first, with who and why.",
    discussion: "Asks a worker.")

  @OptionGroup var worker: WorkerOptions
  @Argument(help: "The SKU.") var sku: String
  @Flag(help: "Without what holds have moved.") var stockOnly = false
  @OptionGroup var page: PageOptions

  func run() async throws {
    let output = Output(json: worker.json)
    try await worker.caller().keepingConnection { caller in
      try await output.pages(from: page.after, all: page.all) { next in
        let reply = try await caller.call(
          HistoryRequest(sku: sku, stockOnly: stockOnly, after: next, limit: page.entries))
        return (reply.movements.map { output.json ? $0.fields : $0.columns }, reply.next)
      }
    }
  }
}

/// `stockctl hold history HOLD`
struct HoldHistoryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history", abstract: "Shows the life of a hold out of the books, oldest first.",
    discussion: "Asks a worker.")

  @OptionGroup var worker: WorkerOptions
  @Argument(help: "The hold's id.") var hold: String

  func run() async throws {
    let reply = try await worker.call(HistoryRequest(holdID: hold))
    let output = Output(json: worker.json)
    output.table(reply.movements.map { output.json ? $0.fields : $0.columns })
    guard let hold = reply.hold else { throw ExitReason.notFound.exit }
    output.print(hold.fields)
  }
}

extension MovementRecord {
  fileprivate var fields: Output.Fields {
    let figures: Output.Fields =
      after.map {
        [
          ("available", .number($0.available)), ("held", .number($0.held)),
          ("sold", .number($0.sold)), ("supplied", .number($0.supplied)),
        ]
      } ?? []
    return [
      ("event_id", .text(eventID)), ("cause", .text(cause)), ("sku", .text(sku)),
      ("hold_id", .text(holdID)), ("time", .number(time)), ("stream_id", .text(streamID)),
      ("available_delta", .number(deltas.available)), ("held_delta", .number(deltas.held)),
      ("sold_delta", .number(deltas.sold)), ("supplied_delta", .number(deltas.supplied)),
    ] + figures + [
      ("request_id", .text(requestID)), ("actor", .text(actor)), ("reason", .text(reason)),
      ("found", .text(found)),
    ]
  }

  /// What a person looks for first.
  fileprivate var columns: Output.Fields {
    [
      ("time", .number(time)), ("cause", .text(cause)), ("available", .number(deltas.available)),
      ("held", .number(deltas.held)), ("sold", .number(deltas.sold)), ("actor", .text(actor)),
      ("reason", .text(reason)), ("hold_id", .text(holdID)), ("stream_id", .text(streamID)),
    ]
  }
}
