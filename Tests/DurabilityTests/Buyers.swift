import Harness
import Inventory
import RPC
import Wire

/// Buyers that reserve, confirm and cancel until they are stopped, and remember what they were told.
/// A call whose outcome is unknown is repeated, unchanged, until it is known.
actor Buyers {
  /// What the buyer of each hold was last told of it, by hold id.
  private(set) var told: [String: HoldStatus] = [:]
  /// What the buyer of each hold was told of its durability, where the buyer had asked.
  private(set) var reached: [String: Acknowledgement] = [:]
  /// Answers that contradict what was told before.
  private(set) var contradictions: [String] = []

  private let address: Address
  private let count: Int
  private let run: Int
  private let levels: [Acknowledgement?]
  private var running = true
  private var tasks: [Task<Void, Never>] = []

  /// - Parameters:
  ///   - run: makes the keys differ from those of other crowds.
  ///   - levels: what buyers ask for, in turn.
  init(_ market: Market, count: Int = 8, run: Int, levels: [Acknowledgement?] = [nil]) {
    (address, self.count, self.run, self.levels) = (market.address, count, run, levels)
  }

  func start() {
    for buyer in 0..<count { tasks.append(Task { await buy(buyer) }) }
  }

  /// Returns when every buyer knows what became of the last call.
  func stop() async {
    running = false
    for task in tasks { await task.value }
  }

  /// Returns soon; what became of the last calls stays unknown.
  func abandon() async {
    for task in tasks { task.cancel() }
    await stop()
  }

  private func buy(_ buyer: Int) async {
    let client = StockClient(to: address)
    var round = 0
    while running, !Task.isCancelled {
      round += 1
      let request = ReserveRequest(
        sku: "x", qty: 1, userID: "buyer-\(buyer)", idempotencyKey: "\(run)-\(round)",
        ttlMs: 3_600_000, acknowledge: levels[round % levels.count])
      guard let hold = await settle(request, with: client) else { break }
      guard hold.outcome == .held || hold.outcome == .repeated else {
        contradictions.append("\(request): \(hold)")
        continue
      }
      told[hold.holdID] = .active
      reached[hold.holdID] = hold.acknowledged
      await finish(hold.holdID, round: round, with: client)
    }
    await client.close()
  }

  /// Most holds become orders, some are given back, some stay.
  private func finish(_ hold: String, round: Int, with client: StockClient) async {
    let (reply, status): (HoldReply?, HoldStatus)
    switch round % 5 {
    case 0, 1:
      reply = await settle(ConfirmRequest(holdID: hold, paymentRef: "p"), with: client)
      status = .confirmed
    case 2:
      reply = await settle(CancelRequest(holdID: hold), with: client)
      status = .cancelled
    default: return
    }
    guard let reply else {
      // It may or may not have happened: the hold says nothing any more.
      told[hold] = nil
      return
    }
    switch reply.outcome {
    case .confirmed, .cancelled, .repeated: told[hold] = status
    default: contradictions.append("\(hold) was acknowledged, and then: \(reply)")
    }
  }

  /// nil: the buyer was told to give up.
  private func settle<Request: RequestMessage & Sendable>(
    _ request: Request, with client: StockClient
  ) async -> Request.Reply? {
    while !Task.isCancelled {
      do throws(Status) {
        return try await client.call(request, timeoutMs: 2_000)
      } catch {
        // A level may be out of reach for a moment, after a restart of the store.
        guard error.retryable || error.reason == "ACKNOWLEDGE_UNAVAILABLE" else {
          contradictions.append("\(request): \(error)")
          return nil
        }
        // Repeating is the point; the wait only keeps a dead server from being hammered.
        try? await Task.sleep(for: .milliseconds(5))
      }
    }
    return nil
  }
}

extension RedisServer {
  /// How many of these holds are not in Redis, or not as their buyers were told.  An active one may have
  /// been finished since.
  func lost(of told: [String: HoldStatus]) throws -> Int {
    let script = """
      local lost = 0
      for i, key in ipairs(KEYS) do
        local record = redis.call('GET', key)
        local status = record and string.byte(record, 11)
        if not status or (ARGV[i] ~= '1' and status ~= tonumber(ARGV[i])) then lost = lost + 1 end
      end
      return lost
      """
    var lost = 0
    let all = told.map { (key: $0.split(separator: "-").dropLast(), status: $1.rawValue) }
    for start in stride(from: 0, to: all.count, by: 500) {
      let part = all[start..<min(start + 500, all.count)]
      let answer = try cli(
        ["EVAL", script, "\(part.count)"] + part.map { "hold:" + $0.key.joined(separator: "-") }
          + part.map { "\($0.status)" })
      lost += Int(answer) ?? 0
    }
    return lost
  }
}
