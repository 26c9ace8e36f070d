import ArgumentParser
import Inventory
import Wire

/// `stockctl stock list`
struct StockListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists every SKU with its figures, by name, a page at a time.",
    discussion: """
      A SKU is there from its first stock on, and on one page, whatever is sold meanwhile.  JSON: a \
      line for each, and one with 'next' when there are more.
      """)

  @OptionGroup var server: ServerOptions
  @Option(help: "Begin after this SKU, the 'next' of the page before.") var after = ""
  @Option(help: "SKUs of a page, 1 to 200. [100; with --all 200]") var limit: Int?
  @Flag(help: "Every page.") var all = false

  func validate() throws {
    guard limit.map({ (1...Limits.stockPageMax).contains($0) }) ?? true else {
      throw ValidationError("--limit: 1 to \(Limits.stockPageMax)")
    }
  }

  func run() async throws {
    let caller = try server.caller()
    let limit = limit ?? (all ? Limits.stockPageMax : Limits.stockPageDefault)
    try await caller.keepingConnection { caller in
      try await Output(json: server.json).pages(from: after, all: all) { next in
        let page = try await caller.call(ListStockRequest(after: next, limit: limit))
        return (page.stock.map(\.fields), page.next)
      }
    }
  }
}

extension Output {
  /// Shows a page, or all of them, each as it comes.  A table is laid out as its first page needs it.
  /// - Parameter page: the rows that come after some place, and where to go on; empty: nowhere.
  func pages(
    from after: String, all: Bool, _ page: (String) async throws -> (rows: [Fields], next: String)
  ) async throws {
    var next = after
    var layout: Table.Layout?
    var leftOut: [String] = []
    let progress = Progress("listing", .things)
    defer { progress.finish() }
    repeat {
      let found = try await page(next)
      progress.advance(by: found.rows.count)
      next = found.next
      if json {
        table(found.rows)
      } else if let rows = Self.table(of: found.rows) {
        if layout == nil {
          let made = rows.layout(within: Terminal.output.width)
          StandardOutput.line(rows.headerLine(in: made))
          (layout, leftOut) = (made, rows.leftOut(of: made))
        }
        rows.lines(in: layout!).forEach(StandardOutput.line)
      }
      // Now: whoever reads may want no more than the beginning.
      StandardOutput.flush()
    } while all && !next.isEmpty && StandardOutput.isOpen
    noteLeftOut(leftOut)
    if !json, layout == nil, next.isEmpty, Terminal.output.isTerminal { note("there are none") }
    if !next.isEmpty { printLine([("next", .text(next))]) }
  }
}

extension StockListing {
  /// The names of `fields`, for where there is no listing.
  static let columns = ["sku", "available", "held", "sold", "supplied", "version", "state"]

  var fields: Output.Fields {
    let figures = stock.figures
    return [
      ("sku", .text(stock.sku)), ("available", .number(figures.available)),
      ("held", .number(figures.held)), ("sold", .number(figures.sold)),
      ("supplied", .number(figures.supplied)), ("version", .number(figures.version)),
      ("state", .text(isClosed ? "CLOSED" : figures.isRetired ? "RETIRED" : "ON SALE")),
    ]
  }
}
