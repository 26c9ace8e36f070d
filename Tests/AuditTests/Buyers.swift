import Harness
import RPC
import Wire

/// Buyers who reserve, and then confirm, cancel, or think it over, as fast as they are answered.
actor Buyers {
  private let market: Market
  private let skus: [String]
  private var running = true
  private var tasks: [Task<Int, Never>] = []

  init(_ market: Market, skus: [String]) { (self.market, self.skus) = (market, skus) }

  func start(_ count: Int) {
    for buyer in 0..<count { tasks.append(Task { await buy(buyer) }) }
  }

  /// - Returns: how many calls were answered.
  func stop() async -> Int {
    running = false
    var calls = 0
    for task in tasks { calls += await task.value }
    return calls
  }

  private func buy(_ buyer: Int) async -> Int {
    let client = market.client()
    var calls = 0
    var round = 0
    while running {
      round += 1
      let request = ReserveRequest(
        sku: skus[round % skus.count], qty: UInt64(1 + round % 3), userID: "buyer \(buyer)",
        idempotencyKey: "\(round)", ttlMs: round % 4 == 0 ? 1_000 : 60_000)
      guard let reply = try? await client.call(request), reply.outcome == .held else { continue }
      calls += 2
      switch round % 4 {
      case 1: _ = try? await client.call(ConfirmRequest(holdID: reply.holdID, paymentRef: "p"))
      case 2: _ = try? await client.call(CancelRequest(holdID: reply.holdID))
      default: calls -= 1
      }
    }
    await client.close()
    return calls
  }
}
