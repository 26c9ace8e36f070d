import ArgumentParser
import Dispatch
import FoundationEssentials
import Glibc
import Inventory
import Loop
import RPC
import Wire

/// `stockctl bench`
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Reserves as fast as the answers come (closed loop) and counts what succeeded.",
    discussion: """
      Prints successful reserves a second apart from sold-out answers and failures, and the times of
      the calls.  A call that the server refuses as overloaded is counted apart and made again when
      the server says.  With --cpu-of, also the CPU time of a process per successful reserve.
      """)

  @OptionGroup var server: ServerOptions
  @Option(help: "Connections.") var connections = 64
  @Option(help: "Calls in flight on each.") var outstanding = 1
  @Option(help: "Reserves in one call, with BatchReserve; 0: each by itself, with Reserve.")
  var batch = 0
  @Option(help: Acknowledgement.help, transform: Acknowledgement.named)
  var ack: Acknowledgement?
  @Option(help: "How long, in seconds.") var seconds = 5.0
  @Option(help: "The SKU that is sold.") var sku = "bench-hot-sku-000001"
  @Option(help: "Units that are put on sale first; 0: sell what there is.")
  var stock: UInt64 = 1_000_000_000
  @Option(help: "NAME=PID of a process whose CPU time is to be counted; may be repeated.")
  var cpuOf: [String] = []

  func validate() throws {
    guard (1...10_000).contains(connections), (1...4_096).contains(outstanding),
      (0...4_096).contains(batch), seconds > 0, seconds <= 3_600
    else {
      throw ValidationError(
        "1-10,000 connections, 1-4,096 outstanding on each, batches up to 4,096, 3,600 seconds")
    }
    for watched in cpuOf where ProcessCPU(watched) == nil {
      throw ValidationError("--cpu-of: '\(watched)' is not NAME=PID of a running process")
    }
  }

  func run() async throws {
    if stock > 0 {
      _ = try await server.call(
        SetStockRequest(sku: sku, available: stock, requestID: UUID().uuidString))
    }
    let watched = cpuOf.compactMap { ProcessCPU($0) }
    let before = watched.map(\.microseconds)
    let lane = BenchLane(
      sku: sku, connections: connections, outstanding: outstanding, batch: batch,
      seconds: seconds, acknowledge: ack)
    let result = try await lane.run(against: try server.serverAddress())
    var fields = result.fields
    for (process, start) in zip(watched, before) where result.held > 0 {
      let used = Double(process.microseconds - start) / Double(result.held)
      fields.append(("cpu_us_per_reserve_\(process.name)", .real((used * 100).rounded() / 100)))
    }
    Output(json: server.json).print(fields)
    if result.failures > 0 { throw ExitReason.failed.exit }
  }
}

/// The CPU time of a running process, from `/proc/PID/stat` (proc(5): fields 14 and 15).
private struct ProcessCPU {
  let name: String
  private let path: String

  init?(_ argument: String) {
    let parts = argument.split(separator: "=")
    guard parts.count == 2, let pid = Int32(parts[1]) else { return nil }
    (name, path) = (String(parts[0]), "/proc/\(pid)/stat")
    guard microseconds > 0 || access(path, R_OK) == 0 else { return nil }
  }

  var microseconds: UInt64 {
    guard let stat = try? String(contentsOfFile: path, encoding: .utf8),
      let end = stat.lastIndex(of: ")")
    else { return 0 }
    let fields = stat[end...].split(separator: " ")
    guard fields.count > 13, let user = UInt64(fields[12]), let system = UInt64(fields[13])
    else { return 0 }
    return (user + system) * 1_000_000 / UInt64(sysconf(Int32(_SC_CLK_TCK)))
  }
}
