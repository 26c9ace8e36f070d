import ArgumentParser
import FoundationEssentials
import Glibc
import Inventory
import RPC
import Wire

/// `stockctl stock export`
struct ExportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Writes every SKU with its figures as CSV or JSON lines.",
    discussion: """
      By name; what 'stock import' reads.  The figures of a SKU are of the moment at which its page \
      was read.  With --out the file is there as a whole or not at all; a device is written to.
      """)

  @OptionGroup var server: ServerOptions
  @Option(help: "csv or jsonl. [by the name of --out, or csv]") var format: StockFormat?
  @Option(help: "The file to write. [standard output]", completion: .file()) var out: String?

  func run() async throws {
    let endpoint = try server.endpoint()
    var options = Caller.options
    options.waitsForServer = false
    let client = StockClient(to: endpoint.address, options: options)
    let progress = Progress("exporting", .things)
    let interruption = try Interruption {}
    var sheet = StockSheet(asked)
    do throws(Status) {
      var next = ""
      repeat {
        let page = try await client.call(
          ListStockRequest(after: next, limit: Limits.stockPageMax),
          timeoutMs: endpoint.timeoutMs)
        sheet.add(page.stock)
        progress.advance(by: page.stock.count)
        if out == nil { sheet.release().forEach(StandardOutput.line) }
        next = page.next
      } while !next.isEmpty && !interruption.hasCome && StandardOutput.isOpen
      progress.finish()
      await client.close()
    } catch {
      progress.finish()
      await client.close()
      Output(json: server.json).failure(error)
      tell(sheet, isWhole: false)
      throw (out == nil && sheet.count > 0 ? ExitReason.partly : ExitReason(error)).exit
    }
    if interruption.hasCome {
      tell(sheet, isWhole: false)
      try interruption.finish()
    }
    try write(&sheet)
  }

  private var asked: StockFormat {
    if server.json { return .jsonl }
    if let format { return format }
    return out.map { $0.hasSuffix(".jsonl") || $0.hasSuffix(".ndjson") } == true ? .jsonl : .csv
  }

  private func write(_ sheet: inout StockSheet) throws {
    guard let out else { return }
    let text = sheet.release().map { $0 + "\n" }.joined()
    do {
      try Data(text.utf8).write(to: URL(filePath: out), options: isFile(out) ? .atomic : [])
    } catch {
      Output(json: server.json).note("--out: \(out) cannot be written")
      throw ExitReason.outputLost.exit
    }
    tell(sheet, isWhole: true)
  }

  /// A device or a pipe is written to; only a file is one for another to take its place.
  private func isFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFREG
  }

  private func tell(_ sheet: StockSheet, isWhole: Bool) {
    let output = Output(json: server.json)
    switch (isWhole, out) {
    case (true, let out?): output.note("\(sheet.count.counted("SKU")) written to \(out)")
    case (false, let out?): output.note("\(out) was not written")
    default: output.note("\(sheet.count.counted("SKU")) written: the list is not whole")
    }
  }
}

/// Figures as lines of a file.
struct StockSheet {
  private let format: StockFormat
  private var lines: [String] = []
  private(set) var count = 0

  init(_ format: StockFormat) {
    self.format = format
    if format == .csv { lines.append(DelimitedText.line(StockListing.columns)) }
  }

  mutating func add(_ page: [StockListing]) {
    count += page.count
    for listing in page {
      let fields = listing.fields
      lines.append(
        format == .jsonl ? Output.object(fields) : DelimitedText.line(fields.map(\.value.plain)))
    }
  }

  /// The lines that there are by now; they are not kept.
  mutating func release() -> [String] {
    defer { lines = [] }
    return lines
  }
}
