import Glibc
import Inventory
import Wire

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Seeded: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}

/// What might have happened: the events of random operations on the model of the sale.
struct History {
  /// Milliseconds since 1970 of the first event: ten seconds before the last midnight, so that a
  /// history spans days, and is young enough to be remembered.
  static let start: UInt64 = {
    let now = UInt64(time(nil)) * 1000
    return now / 86_400_000 * 86_400_000 - 10_000
  }()

  let events: [Event]
  /// The figures of every SKU after so many events, now and then.
  private(set) var checkpoints: [(events: Int, figures: [SKU: Figures])] = []

  init(operations: Int, random: inout Seeded) {
    var model = Model()
    let identity = Identity()
    let skus = ["iphone_15", "box/small", "box/large"].map { SKU($0)! }
    var now = Self.start
    var known: [HoldID] = []
    for number in 0..<operations {
      now += .random(in: 0...40, using: &random)
      let sku = skus.randomElement(using: &random)!
      let operation: Operation
      let old = known.randomElement(using: &random)
      switch (Int.random(in: 0..<10, using: &random), old) {
      case (0, _):
        operation = .changeStock(
          StockOrder(
            Self.change(using: &random), of: sku, requestID: Label("request \(number)")!,
            attribution: Attribution(
              actor: number % 3 == 0 ? nil : Label("ada")!,
              reason: number % 5 == 0 ? nil : Label("number \(number)")!)))
      case (1...3, let hold?): operation = .confirm(hold, paymentRef: Label("pay_\(number)")!)
      case (4, let hold?):
        let released = Attribution(actor: Label("ada")!, reason: Label("number \(number)")!)
        operation = .cancel(hold, by: number % 2 == 0 ? released : nil)
      case (5, let hold?): operation = .expire(hold)
      case (6, _?):
        // A young one, which may still be active.
        let hold = known.suffix(20).randomElement(using: &random)!
        operation = .extend(hold, expiresAt: now + .random(in: 1...6_000, using: &random))
      default:
        let (user, key) = (Label("user |\(number % 7)")!, Label("ключ \(number)")!)
        operation = .reserve(
          Reservation.of(
            hold: identity.hold(user: user, key: key), sku: sku,
            qty: .random(in: 1...5, using: &random), user: user, key: key,
            ttlMs: .random(in: 1_000...5_000, using: &random), requestedTTLMs: 0))
      }
      let answer = model.apply(operation, now: now)
      if answer.outcome == .held { known.append(answer.hold!.id) }
      if number % 50 == 49 {
        let figures = skus.map { ($0, model.figures(of: $0) ?? .none) }
        checkpoints.append((model.events.count, Dictionary(uniqueKeysWithValues: figures)))
      }
    }
    events = model.events
  }
}

extension History {
  private static func change(using random: inout Seeded) -> StockOrder.Change {
    switch Int.random(in: 0..<20, using: &random) {
    case 0: .retire
    case 1..<5: .adjust(.random(in: -100 ... -1, using: &random))
    case 5..<10: .adjust(.random(in: 1...300, using: &random))
    default: .set(.random(in: 0...500, using: &random))
    }
  }
}

/// The rows that some events must end in, as `Books` reads them.
struct ExpectedRows: Equatable {
  var holds: [String] = []
  var orders: [String] = []
  var movements: [String] = []
  var processed: [String] = []

  init() {}

  init(of events: [Event]) {
    let identity = Identity()
    var newest: [HoldID: Hold] = [:]
    for event in events {
      processed.append("\(event.id)|\(event.type.rawValue)|\(event.time)")
      switch event {
      case .hold(let type, let hold):
        if hold.version > newest[hold.id]?.version ?? 0 { newest[hold.id] = hold }
        if type == .holdConfirmed {
          orders.append(
            "\(identity.order(of: hold.id))|\(hold.id)|\(hold.user)|\(hold.sku)|\(hold.qty)"
              + "|CONFIRMED|\(hold.paymentRef!)|\(hold.changedAt)")
        }
        let (available, held, sold) = Self.deltas(of: type, Int64(hold.qty))
        movements.append(
          "\(event.id)|\(hold.changedAt)|\(hold.sku)|\(type.rawValue)|\(hold.id)|\(available)"
            + "|\(held)|\(sold)|0|||||\(hold.version)|"
            + "|\(hold.attribution?.actor?.text ?? "")|\(hold.attribution?.reason?.text ?? "")")
      case .stock(let type, let change):
        let figures = change.figures
        movements.append(
          "\(event.id)|\(change.changedAt)|\(change.sku)|\(type.rawValue)||\(change.delta)|0|0"
            + "|\(change.delta)|\(figures.available)|\(figures.held)|\(figures.sold)"
            + "|\(figures.supplied)|\(figures.version)|\(change.requestID?.text ?? "")"
            + "|\(change.attribution?.actor?.text ?? "")"
            + "|\(change.attribution?.reason?.text ?? "")")
      }
    }
    holds = newest.values.map { hold in
      "\(hold.id)|1|\(hold.sku)|\(hold.qty)|\(hold.user)|\(hold.status.name)|\(hold.expiresAt)"
        + "|\(hold.createdAt)|\(hold.key)|\(hold.paymentRef?.text ?? "")|\(hold.version)"
        + "|\(hold.changedAt)"
    }
    sort()
  }

  /// What an event of a hold of so many units does to available, held and sold.
  private static func deltas(of type: EventType, _ qty: Int64) -> (Int64, Int64, Int64) {
    switch type {
    case .holdCreated: (-qty, qty, 0)
    case .holdConfirmed: (0, -qty, qty)
    case .holdExtended: (0, 0, 0)
    default: (qty, -qty, 0)
    }
  }

  mutating func sort() {
    holds.sort()
    orders.sort()
    movements.sort()
    processed.sort()
  }
}
