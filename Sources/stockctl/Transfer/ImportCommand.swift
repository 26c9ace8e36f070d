import ArgumentParser
import FoundationEssentials
import Glibc
import Inventory
import RPC
import Wire

/// `stockctl stock import FILE`
struct ImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Sets or adjusts the stock of the SKUs in a file of CSV or JSON lines.",
    discussion: """
      The first line of CSV names the columns: sku, and available, which is set, or delta, which is \
      added to what is available.  A state of RETIRED or CLOSED leaves a row alone; other columns are \
      not read.  JSON lines have the same names.  A row that is wrong is reported \
      with line, column and reason, and costs no other.  The same file again does nothing twice, for \
      24 hours: an import that was interrupted is simply run again.  Exit code 12: not all was done.
      """)

  @OptionGroup var server: ServerOptions
  @OptionGroup var attribution: AttributionOptions
  @Argument(help: "The file; - is standard input.", completion: .file()) var file: String
  @Option(help: "csv or jsonl. [by the name, or by the first character]") var format: StockFormat?
  @Flag(help: "Show what would change, and change nothing.") var dryRun = false
  @Flag(help: "Do it without asking, also where SKUs have stock already.") var yes = false
  @Option(name: .customLong("run"), help: "Set it all again: a name for this time.")
  var runName: String?
  @Option(help: "A file for the rows that were not done, to be put right and imported.")
  var rejects: String?
  @Option(help: "Calls in flight, 1 to \(ImportRun.inFlightMax).")
  var inFlight = ImportRun.inFlightDefault

  func validate() throws {
    guard (1...ImportRun.inFlightMax).contains(inFlight) else {
      throw ValidationError("--in-flight: 1 to \(ImportRun.inFlightMax)")
    }
    // The line's number goes behind it in a request id.
    guard runName.map({ Label($0) != nil && $0.utf8.count <= 64 }) ?? true else {
      throw ValidationError("--run: 1 to 64 bytes without control characters")
    }
  }

  func run() async throws {
    let stock = try StockFile(path: file, format: format)
    try checkRejects()
    let endpoint = try server.endpoint()
    var options = Caller.options
    options.waitsForServer = false
    let client = StockClient(to: endpoint.address, options: options)
    let name = (["import"] + (runName.map { [$0] } ?? []) + [stock.digest]).joined(separator: "-")
    let work = ImportRun(
      client: client, timeoutMs: endpoint.timeoutMs, inFlight: inFlight, name: name,
      reason: attribution.reason, actor: attribution.actorName)
    do {
      try await run(stock, work)
      await client.close()
    } catch {
      await client.close()
      guard let status = error as? Status else { throw error }
      Output(json: server.json).failure(status)
      Output(json: server.json).note("nothing was changed")
      throw ExitReason(status).exit
    }
  }

  private func run(_ stock: StockFile, _ work: ImportRun) async throws {
    let interruption = try Interruption(before: "nothing was changed") {}
    if dryRun || !yes {
      let changes = try await work.plan(stock.rows)
      guard !dryRun else { return try show(changes, stock) }
      let over = changes.count { $0.kind == "CHANGED" }
      if over > 0 {
        let new = changes.count { $0.kind == "NEW" }
        try Confirmation.ask(
          """
          \(over.counted("SKU")) \(over == 1 ? "has" : "have") other stock now, \
          \(new.grouped) \(new == 1 ? "is" : "are") new
          """, yes: false)
      }
    }
    interruption.begin()
    let tally = await work.carryOut(stock.rows) { !interruption.hasCome }
    let faults = (stock.faults + tally.faults).sorted { $0.line < $1.line }
    report(stock, faults, tally)
    try keep(stock, faults)
    try interruption.finish()
    try finish(faults, tally)
  }

  private func show(_ changes: [ImportRun.Change], _ stock: StockFile) throws {
    let output = Output(json: server.json)
    // A person looks for what would change; a program is told of every row.
    output.table(changes.filter { server.json || $0.kind != "SAME" }.map(\.fields))
    say(stock.faults)
    output.printLine(
      ["NEW", "CHANGED", "SAME", "REFUSED"].map { kind in
        (kind.lowercased(), .number(changes.count { $0.kind == kind }))
      } + [("left_alone", .number(stock.leftAlone)), ("bad", .number(stock.faults.count))])
    if !stock.faults.isEmpty { throw ExitReason.partly.exit }
  }

  private func say(_ faults: [RowFault]) {
    for fault in faults {
      StandardOutput.line(
        server.json ? Output.object(fault.fields) : Terminal.output.fit(fault.sentence))
    }
  }

  private func report(_ stock: StockFile, _ faults: [RowFault], _ tally: ImportRun.Tally) {
    say(faults)
    let output = Output(json: server.json)
    output.printLine([
      ("done", .number(tally.done)), ("done_before", .number(tally.doneBefore)),
      ("bad", .number(faults.count)), ("left_alone", .number(stock.leftAlone)),
      ("unknown", .number(tally.unknown)), ("left", .number(tally.left)),
    ])
    if let status = tally.stopped { output.failure(status) }
    guard tally.unknown + tally.left > 0 else {
      guard tally.done == 0, tally.doneBefore > 0 else { return }
      return output.note("this file was imported before; to set it again, say --run NAME")
    }
    let done = (tally.done + tally.doneBefore).grouped
    let isOtherVersion = tally.stopped.map { ExitReason($0) == .otherVersion } ?? false
    let again = isOtherVersion ? "with the server's own stockctl the" : "the"
    output.note(
      """
      \(done) of \(stock.rows.count.grouped) rows are done\
      \(tally.unknown > 0 ? ", \(tally.unknown.grouped) may be" : ""), \(tally.left.grouped) are not; \
      \(again) same command again does the rest, and nothing twice
      """)
  }

  /// Before the first row, since afterwards nobody knows which were refused.  What is there is kept.
  private func checkRejects() throws {
    guard let rejects else { return }
    let isNew = access(rejects, F_OK) != 0
    let descriptor = open(rejects, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      let reason = String(cString: strerror(errno))
      Output(json: server.json).note(
        "--rejects: \(rejects) cannot be written: \(reason); nothing was changed")
      throw ExitReason.outputLost.exit
    }
    close(descriptor)
    if isNew { unlink(rejects) }
  }

  /// Writes down what has to be put right.
  private func keep(_ stock: StockFile, _ faults: [RowFault]) throws {
    guard let rejects, !faults.isEmpty else { return }
    do {
      try Data(stock.text(ofLines: faults.map(\.line))).write(to: URL(filePath: rejects))
    } catch {
      Output(json: server.json).note("--rejects: \(rejects) cannot be written")
      throw ExitReason.outputLost.exit
    }
  }

  private func finish(_ faults: [RowFault], _ tally: ImportRun.Tally) throws {
    let wasBegun = tally.done + tally.doneBefore + tally.unknown > 0
    if let status = tally.stopped {
      throw (wasBegun ? ExitReason.partly : ExitReason(status)).exit
    }
    if !faults.isEmpty { throw (wasBegun ? ExitReason.partly : .usage).exit }
  }
}
