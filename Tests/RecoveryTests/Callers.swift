import RPC
import Wire

/// Callers that try to reserve a unit at every server, each time with a new key, until all is sold or
/// they are stopped.
actor Callers {
  /// Reserves that succeeded.
  private(set) var held = 0
  /// Calls that failed, by the place of the server.
  private(set) var refused: [Int]
  /// Servers that said that all is sold.
  private(set) var soldOut: Set<Int> = []

  private let addresses: [Address]
  private var running = true
  private var tasks: [Task<Void, Never>] = []

  init(_ addresses: [Address]) {
    self.addresses = addresses
    refused = addresses.map { _ in 0 }
  }

  func start() {
    for server in addresses.indices { tasks.append(Task { await call(server) }) }
  }

  func stop() async {
    running = false
    for task in tasks { await task.value }
  }

  private func call(_ server: Int) async {
    var options = StockClient.Options()
    options.retry = .never
    let client = StockClient(to: addresses[server], options: options)
    var round = 0
    while running {
      round += 1
      let request = ReserveRequest(
        sku: "x", qty: 1, userID: "caller-\(server)", idempotencyKey: "\(round)",
        ttlMs: 3_600_000)
      do {
        switch try await client.call(request, timeoutMs: 200).outcome {
        case .held: held += 1
        case .soldOut: soldOut.insert(server)
        default: break
        }
      } catch {
        refused[server] += 1
        // Two cores are shared with those whom this waits for.
        try? await Task.sleep(for: .milliseconds(10))
      }
    }
    await client.close()
  }
}
