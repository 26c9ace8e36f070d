import Harness
import Inventory
import RPC
import Testing
import Wire

/// Buyers that reserve one unit after another until they are stopped, and remember what they were
/// told.  A call whose outcome is unknown is repeated, unchanged, until it is known.
actor Crowd {
  /// Hold ids that were acknowledged, by key.
  private(set) var held: [String: String] = [:]
  /// Failures that said the outcome is known and nothing happened.
  private(set) var refused = 0
  /// Failures that said the outcome is unknown.
  private(set) var unknown = 0

  private let shop: Shop
  private let buyers: Int
  private let sku: String
  private var running = true
  private var tasks: [Task<Void, Never>] = []

  init(_ shop: Shop, buyers: Int, sku: String = "x") {
    self.shop = shop
    self.buyers = buyers
    self.sku = sku
  }

  func start() {
    for buyer in 0..<buyers {
      tasks.append(Task { await buy(buyer) })
    }
  }

  /// Returns when every buyer has settled the last call.
  func stop() async {
    running = false
    for task in tasks { await task.value }
  }

  private func buy(_ buyer: Int) async {
    let client = shop.client()
    var round = 0
    while running {
      round += 1
      await settle(ReserveRequest.of("k-\(buyer)-\(round)", sku: sku), client)
    }
    await client.close()
  }

  private func settle(_ request: ReserveRequest, _ client: StockClient) async {
    for _ in 0..<1_000 {
      let result = await outcome { () throws(Status) in
        try await client.call(request, timeoutMs: 2_000)
      }
      switch result {
      case .success(let reply) where reply.outcome == .held || reply.outcome == .repeated:
        held[request.idempotencyKey] = reply.holdID
        return
      case .success(let reply):
        Issue.record("\(reply)")
        return
      case .failure(let status):
        if status.outcomeUnknown { unknown += 1 } else { refused += 1 }
        guard status.retryable else {
          Issue.record("\(status)")
          return
        }
        // Repeating is the point; the wait only keeps a dead server from being hammered.
        try? await Task.sleep(for: .milliseconds(10))
      }
    }
    Issue.record("\(request.idempotencyKey) was never settled")
  }
}
