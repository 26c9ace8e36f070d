import ArgumentParser
import FoundationEssentials
import Inventory
import RPC
import Wire

/// `stockctl bench`
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Loads a server with buyers, and says how many it served, and how fast.",
    discussion: """
      Without --rate a closed loop: as many calls in flight as you say, each followed by the next, \
      which finds out how much the server does.  With --rate an open loop: buyers come at random \
      moments, so many a second, whether or not the server keeps up, and each time counts from the \
      moment at which the buyer came.  Reserves that got their units are counted apart from those \
      that were told that there are none.

      hot: everybody wants one SKU.  zipf: many SKUs, a few wanted most.  life: every hold is \
      confirmed or cancelled at once.  storm: all holds expire at one moment, and it measures how soon \
      their units are back.  The holds stay behind until they expire.
      """)

  @OptionGroup var server: ServerOptions
  @Option(help: "hot, zipf, life or storm.") var scenario = BenchPlan.Scenario.hot
  @Option(help: "An open loop with so many calls a second, on average.") var rate: Double?
  @Option(help: "Connections.") var connections = 64
  @Option(help: "Calls in flight on each, in a closed loop.") var outstanding = 1
  @Option(help: "Reserves in one call, with BatchReserve; 0: each by itself, with Reserve.")
  var batch = 0
  @Option(help: Acknowledgement.help, transform: Acknowledgement.named)
  var ack: Acknowledgement?
  @Option(help: "How long, in seconds.") var seconds = 5.0
  @Option(help: "The SKU that is sold; with zipf and storm, what the SKUs' names begin with.")
  var sku = "bench-hot-sku-000001"
  @Option(help: "Units of each SKU that are put on sale first; 0: sell what there is.")
  var stock: UInt64 = 1_000_000_000
  @Option(help: "SKUs of zipf.") var skus = 1_000
  @Option(help: "How uneven zipf is: the n-th SKU is wanted as often as 1/n to this power.")
  var zipfExponent = 1.0
  @Option(help: "The share of holds that life confirms, 0 to 1; the others are cancelled.")
  var confirmShare = 0.5
  @Option(help: "Of the random numbers: the same seed, the same buyers.") var seed: UInt64 = 0
  @Option(help: "NAME=PID of a process whose CPU time is to be counted; may be repeated.")
  var cpuOf: [String] = []
  @Option(help: "Also write the result, as JSON, into this file.", completion: .file())
  var save: String?
  @Option(help: "Compare with the result in this file.", completion: .file())
  var compare: String?
  @Flag(help: "Load a server that is not on this machine without asking.") var yes = false

  func validate() throws {
    guard (1...BenchPlan.connectionsMax).contains(connections),
      (1...BenchPlan.outstandingMax).contains(outstanding),
      (0...BenchPlan.batchMax).contains(batch), seconds > 0, seconds <= BenchPlan.secondsMax
    else {
      throw ValidationError(
        "1-10,000 connections, 1-4,096 outstanding on each, batches up to 4,096, 3,600 seconds")
    }
    guard rate.map({ $0 > 0 && $0 <= BenchPlan.rateMax }) ?? true else {
      throw ValidationError("--rate: more than 0, at most \(Int(BenchPlan.rateMax).grouped)")
    }
    guard (1...BenchPlan.skusMax).contains(skus), (0...10).contains(zipfExponent),
      (0...1).contains(confirmShare)
    else {
      throw ValidationError(
        "1-\(BenchPlan.skusMax.grouped) SKUs, a --zipf-exponent of 0-10, a --confirm-share of 0-1")
    }
    guard batch == 0 || scenario == .hot || scenario == .zipf else {
      throw ValidationError("--batch goes with hot and zipf")
    }
    for watched in cpuOf where ProcessCPU(watched) == nil {
      throw ValidationError("--cpu-of: '\(watched)' is not NAME=PID of a running process")
    }
  }

  func run() async throws {
    let comparison = try compare.map { try BenchComparison(path: $0) }
    let endpoint = try server.endpoint()
    let plan = plan
    if !endpoint.address.isOnThisMachine {
      try Confirmation.ask(
        """
        \(endpoint.address) is not on this machine: it would be loaded for \(seconds) s, and have \
        units of \(plan.skus[0])\(plan.skus.count > 1 ? " and others" : "") put on sale
        """, yes: yes)
    }
    try await putOnSale(plan, endpoint)
    let watched = cpuOf.compactMap { ProcessCPU($0) }
    let before = watched.map(\.microseconds)
    let progress = Progress("bench", .milliseconds(UInt64(seconds * 1_000)))
    let lane = BenchLane(plan)
    let interruption = try Interruption { Task { await lane.stop() } }
    let result = try await lane.run(against: endpoint.address, progress: progress)
    progress.finish()
    var figures = result.fields
    for (process, start) in zip(watched, before) where result.held > 0 {
      let used = Double(process.microseconds - start) / Double(result.held)
      figures.append(("cpu_us_per_reserve_\(process.name)", .real((used * 100).rounded() / 100)))
    }
    try show(plan, "\(endpoint.address)", result, figures, comparison)
    if interruption.hasCome { Output(json: server.json).note("interrupted: this is a part") }
    try interruption.finish()
    if result.failures > 0 { throw ExitReason.failed.exit }
  }

  private var plan: BenchPlan {
    var plan = BenchPlan()
    (plan.scenario, plan.connections, plan.outstanding) = (scenario, connections, outstanding)
    (plan.batch, plan.seconds, plan.rate, plan.acknowledge) = (batch, seconds, rate, ack)
    (plan.zipfExponent, plan.confirmShare, plan.seed) = (zipfExponent, confirmShare, seed)
    plan.skus =
      switch scenario {
      case .hot, .life: [sku]
      case .zipf: (1...skus).map { "\(sku)-\($0)" }
      // Of its own, so that no earlier hold is waited for.
      case .storm: ["\(sku)-\(UUID().uuidString)"]
      }
    return plan
  }

  private func putOnSale(_ plan: BenchPlan, _ endpoint: Endpoint) async throws {
    guard stock > 0 else { return }
    guard plan.skus.count > 1 else {
      _ = try await server.call(
        SetStockRequest(sku: plan.skus[0], available: stock, requestID: UUID().uuidString))
      return
    }
    let rows = plan.skus.enumerated().compactMap { place, name in
      SKU(name).map { StockRow(line: place, sku: $0, order: .set(available: stock)) }
    }
    var options = Caller.options
    options.waitsForServer = false
    let client = StockClient(to: endpoint.address, options: options)
    let work = ImportRun(
      client: client, timeoutMs: endpoint.timeoutMs, inFlight: ImportRun.inFlightDefault,
      name: UUID().uuidString, reason: "bench", actor: AttributionOptions.processUser)
    let tally = await work.carryOut(rows) { true }
    await client.close()
    if let status = tally.stopped {
      Output(json: server.json).failure(status)
      throw ExitReason(status).exit
    }
  }

  private func show(
    _ plan: BenchPlan, _ address: String, _ result: BenchResult, _ figures: Output.Fields,
    _ comparison: BenchComparison?
  ) throws {
    let all =
      figures + [
        ("scenario", .text(plan.scenario.rawValue)),
        ("loop", .text(plan.rate == nil ? "closed" : "open")),
        ("connections", .number(connections)), ("outstanding", .number(outstanding)),
        ("rate", rate.map { .real($0) } ?? .none), ("batch", .number(batch)),
        ("skus", .number(plan.skus.count)), ("seed", .number(seed)),
        ("address", .text(address)), ("version", .text(Release.version)),
        ("histogram_us", .pairs(result.reserving.ranges)),
      ]
    let output = Output(json: server.json)
    if server.json {
      StandardOutput.line(Output.object(all))
    } else {
      BenchReport(plan: plan, address: address, result: result)
        .lines(width: Terminal.output.width).forEach(StandardOutput.line)
      let cpu = figures.filter { $0.name.hasPrefix("cpu_us") }
      if !cpu.isEmpty {
        StandardOutput.line("")
        output.print(cpu)
      }
    }
    if let comparison {
      if !server.json { StandardOutput.line("") }
      output.table(comparison.rows(figures))
      if let warning = comparison.warning(plan) { output.note(warning) }
    }
    guard let save else { return }
    do {
      try Data((Output.object(all) + "\n").utf8).write(to: URL(filePath: save))
    } catch {
      output.note("--save: \(save) cannot be written")
      throw ExitReason.outputLost.exit
    }
  }
}

extension Address {
  /// Whether whoever listens there is surely on this machine.
  var isOnThisMachine: Bool {
    switch self {
    case .unix: true
    case .tcp(let host, _): host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }
  }
}
