import Foundation
import Harness
import Inventory
import Testing

@testable import HotPath

/// Seeded random operations on the model and on a real Redis side by side.  After every script call
/// the answers, the figures and the events must be the same, and the books must balance.
///
/// STOCK_SEED repeats a run.  A failing run is shrunk to a short list of steps before it is reported.
@Suite("Random sequences")
struct RandomSequenceTests {
  /// Operations in a run.
  static let operations = 50_000

  /// Short sequences, each from an empty store: what only a SKU's first operations can go wrong in.
  static let beginnings = 60

  @Test("50,000 operations: same answers, figures and events; the books balance after every step")
  func run() async throws {
    try await compare(sequences: 1, of: Self.operations, after: [])
  }

  @Test("the first operations, many times, on a store with figures that a person wrote")
  func beginnings() async throws {
    let written = (0..<6).map { Step.write(sku: $0, $0 < 4 ? "\(10 * $0)" : "many") }
    try await compare(sequences: Self.beginnings, of: 100, after: written)
  }

  private func compare(
    sequences: Int, of operations: Int, after first: [Step]
  ) async throws {
    let seed =
      ProcessInfo.processInfo.environment["STOCK_SEED"].flatMap { UInt64($0) }
      ?? UInt64.random(in: .min ... .max)
    print("random sequence: STOCK_SEED=\(seed)")
    let redis = try RedisServer.start(appendOnly: false)
    defer { redis.stop() }
    var random = SeededGenerator(seed: seed)
    for _ in 0..<sequences {
      var steps = first
      var count = 0
      while count < operations {
        let step = Step.random(using: &random)
        count += step.operationCount
        steps.append(step)
      }
      guard let difference = try await Replay.difference(steps, redis) else { continue }
      let short = try await Self.shrink(steps) { try await Replay.difference($0, redis) != nil }
      Issue.record(
        """
        seed \(seed): \(difference.suffix(1_200))
        shrunk to \(short.count) steps:
        \(short.map { "  \($0)" }.joined(separator: "\n"))
        """)
      return
    }
  }

  /// Takes away ever smaller pieces while what is left still fails.
  static func shrink<Element>(
    _ whole: [Element], fails: ([Element]) async throws -> Bool
  ) async throws -> [Element] {
    var rest = whole
    var piece = max(rest.count / 2, 1)
    while true {
      var start = 0
      while start < rest.count {
        var without = rest
        without.removeSubrange(start..<min(start + piece, rest.count))
        if try await fails(without) { rest = without } else { start += piece }
      }
      if piece == 1 { return rest }
      piece = max(piece / 2, 1)
    }
  }

  @Test("shrinking keeps what fails")
  func shrinking() async throws {
    let short = try await Self.shrink(Array(0..<1_000)) { $0.contains(37) && $0.contains(801) }
    #expect(short == [37, 801])
  }
}

/// One script call, or what a person does meanwhile.  Holds are named by the place of their key, so
/// that a step means something in any sequence.
enum Step: CustomStringConvertible {
  case batch([Action])
  /// The sweep, once.
  case sweep
  /// A page of SKUs: those that were there before its script, whose own batch it does not see.
  case list(after: Int?, limit: Int)
  case write(sku: Int, String)

  enum Action {
    case reserve(key: Int, sku: Int, qty: UInt64, ttlMs: UInt64)
    case confirm(key: Int, ref: Int, generationOff: UInt64)
    case cancel(key: Int, generationOff: UInt64)
    case release(key: Int)
    case extend(key: Int, ms: UInt64)
    case getHold(key: Int)
    case set(sku: Int, units: UInt64, request: Int, expected: UInt64?)
    case adjust(sku: Int, delta: Int64, request: Int)
    case retire(sku: Int, request: Int)
    case adopt(sku: Int)
    case getStock(sku: Int)
  }

  var operationCount: Int {
    switch self {
    case .batch(let actions): actions.count
    case .sweep, .list, .write: 1
    }
  }

  var description: String {
    switch self {
    case .batch(let actions):
      "batch \(actions)".replacing("HotPathTests.Step.Action.", with: "")
    case .sweep: "sweep"
    case .list(let after, let limit):
      "list \(limit) after \(after.map { "sku-\($0)" } ?? "nothing")"
    case .write(let sku, let text): "SET stock:sku-\(sku) '\(text)'"
    }
  }

  static func random(using random: inout SeededGenerator) -> Step {
    switch Int.random(in: 0..<40, using: &random) {
    case 0:
      let texts = ["3", "0", "many", "-1", "2.5", "17", ""]
      return .write(
        sku: Int.random(in: 0..<6, using: &random), texts.randomElement(using: &random)!)
    case 1...4: return .sweep
    case 5:
      return .list(
        after: Bool.random(using: &random) ? nil : Int.random(in: 0..<6, using: &random),
        limit: Int.random(in: 1..<8, using: &random))
    default:
      let count = Int.random(in: 1...64, using: &random)
      return .batch((0..<count).map { _ in Action.random(using: &random) })
    }
  }
}

extension Step.Action {
  static func random(using random: inout SeededGenerator) -> Step.Action {
    let key = Int.random(in: 0..<200, using: &random)
    let sku = Int.random(in: 0..<6, using: &random)
    let off: UInt64 = Int.random(in: 0..<20, using: &random) == 0 ? 1 : 0
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<50:
      // Mostly the same request for the same key, so that repeats are real.
      let other = Int.random(in: 0..<10, using: &random) == 0
      return .reserve(
        key: key, sku: other ? sku : key % 6, qty: UInt64(1 + key % 3),
        ttlMs: UInt64([5, 20, 60_000][key % 3]))
    case 50..<65:
      return .confirm(key: key, ref: Int.random(in: 0..<2, using: &random), generationOff: off)
    case 65..<76: return .cancel(key: key, generationOff: off)
    case 76..<77: return .release(key: key)
    case 77..<80: return .extend(key: key, ms: UInt64.random(in: 1..<120, using: &random))
    case 80..<88: return .getHold(key: key)
    case 88..<94:
      return stockOrder(of: sku, using: &random)
    case 94..<97: return .adopt(sku: sku)
    default: return .getStock(sku: sku)
    }
  }
}

extension Step.Action {
  private static func stockOrder(
    of sku: Int, using random: inout SeededGenerator
  ) -> Step.Action {
    let request = Int.random(in: 0..<400, using: &random)
    switch Int.random(in: 0..<10, using: &random) {
    case 0: return .retire(sku: sku, request: request)
    case 1..<5:
      let delta = Int64.random(in: -20..<40, using: &random)
      return .adjust(sku: sku, delta: delta == 0 ? 1_000_000_000_000 : delta, request: request)
    default:
      return .set(
        sku: sku, units: UInt64.random(in: 0..<60, using: &random), request: request,
        expected: Bool.random(using: &random) ? nil : UInt64.random(in: 0..<4, using: &random))
    }
  }
}

/// A sequence on both judges.
enum Replay {
  static let skus = (0..<6).map { Sample.sku("sku-\($0)") }

  /// nil: the two agree to the end.
  static func difference(_ steps: [Step], _ redis: RedisServer) async throws -> String? {
    _ = try redis.cli("FLUSHALL")
    try redis.open()
    let retention = Retention(confirmedMs: 60, releasedMs: 30, settleMs: 10)
    let lane = try StoreLane(redis, retention: retention)
    try await lane.open()
    _ = try redis.cli("XGROUP", "CREATE", "inventory.events", KeySpace.group, "$", "MKSTREAM")
    var model = Model(retention: retention)
    model.booksAreCurrent = true
    var found: String?
    for (place, step) in steps.enumerated() {
      found = try await play(step, lane, &model)
      if let text = found {
        found = "step \(place), \(step): \(text)"
        break
      }
    }
    if found == nil, try await lane.events() != model.events { found = "the events differ" }
    await lane.close()
    return found
  }

  private static func play(
    _ step: Step, _ lane: StoreLane, _ model: inout Model
  ) async throws -> String? {
    switch step {
    case .write(let sku, let text):
      try await lane.redis("SET", "stock:sku-\(sku)", text)
      model.shown[skus[sku]] = text
      return nil
    case .sweep:
      guard let member = await lane.due().first else { return nil }
      try await lane.redis("XGROUP", "SETID", "inventory.events", KeySpace.group, "$")
      return try await compare(
        member.holds.map { .expire($0) }, swept: member, looks: [], lane, &model)
    case .list(let after, let limit):
      let list = Inventory.Operation.listStock(after: after.map { skus[$0] }, limit: limit)
      return try await compare([list], swept: nil, looks: [], lane, &model)
    case .batch(let actions):
      return try await compare(
        actions.map { operation($0, model) }, swept: nil, looks: skus, lane, &model)
    }
  }

  /// - Parameter looks: whose figures are compared too.
  private static func compare(
    _ operations: [Inventory.Operation], swept: IndexMember?, looks: [SKU], _ lane: StoreLane,
    _ model: inout Model
  ) async throws -> String? {
    let named = operations.map { ($0, sku(of: $0, model)) }
    let looks = looks.map { (Inventory.Operation.getStock($0), SKU?.none) }
    let answers = try await lane.script(named + looks, swept: swept)
    for (place, operation) in (operations + looks.map(\.0)).enumerated() {
      let expected = model.apply(operation, now: answers[place].now)
      if expected != answers[place] {
        return "\(operation): the model says \(expected), Redis \(answers[place])"
      }
      if let figures = expected.figures, expected.outcome == .found, !figures.balance {
        return "\(operation): the books do not balance: \(figures)"
      }
    }
    return nil
  }

  private static func operation(_ action: Step.Action, _ model: Model) -> Inventory.Operation {
    func key(_ place: Int) -> HoldKey { Sample.reservation("key-\(place)").hold }
    func id(_ place: Int, _ off: UInt64) -> HoldID {
      HoldID(key: key(place), generation: (model.hold(key(place))?.id.generation ?? 1) + off)
    }
    switch action {
    case .reserve(let place, let sku, let qty, let ttlMs):
      return Sample.reserve(
        "key-\(place)", sku: skus[sku], qty: qty, ttlMs: ttlMs, trace: Sample.trace(place))
    case .confirm(let place, let ref, let off):
      return .confirm(
        id(place, off), paymentRef: Sample.label("pay-\(ref)"), trace: Sample.trace(place + 1))
    case .cancel(let place, let off):
      return .cancel(id(place, off), trace: Sample.trace(place + 2))
    case .release(let place):
      return .cancel(
        id(place, 0), by: Attribution(actor: Sample.label("ada"), reason: Sample.label("a call")),
        trace: Sample.trace(place))
    case .extend(let place, let ms):
      return .extend(
        id(place, 0), expiresAt: id(place, 0).generation + ms, trace: Sample.trace(place))
    case .getHold(let place): return .getHold(key(place), generation: nil)
    case .set(let sku, let units, let request, let expected):
      return order(.set(units, ifAvailable: expected), sku, request)
    case .adjust(let sku, let delta, let request): return order(.adjust(delta), sku, request)
    case .retire(let sku, let request): return order(.retire, sku, request)
    case .adopt(let sku): return .adoptStock(skus[sku])
    case .getStock(let sku): return .getStock(skus[sku])
    }
  }

  private static func order(
    _ change: StockOrder.Change, _ sku: Int, _ request: Int
  ) -> Inventory.Operation {
    .changeStock(
      StockOrder(
        change, of: skus[sku], requestID: Sample.label("request-\(request)"),
        attribution: Attribution(
          actor: request % 3 == 0 ? nil : Sample.label("ada"),
          reason: request % 5 == 0 ? nil : Sample.label("number \(request)")),
        trace: Sample.trace(request)))
  }

  /// The SKU that a hold's operation will need: the hold's own, now or after this batch.
  private static func sku(of operation: Inventory.Operation, _ model: Model) -> SKU? {
    switch operation {
    case .confirm(let id, _, _), .cancel(let id, _, _), .expire(let id):
      model.hold(id.key)?.sku ?? skus[0]
    default: nil
    }
  }
}

/// SplitMix64 (https://prng.di.unimi.it/splitmix64.c): the same sequence for the same seed.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
