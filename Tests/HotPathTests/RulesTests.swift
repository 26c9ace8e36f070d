import Harness
import Inventory
import Testing

@testable import HotPath

/// The rules as tables, one row per step, the expected outcome last.  Every table runs on the model
/// and on a real Redis.
@Suite("The rules of the sale, on the model and on Redis")
struct RulesTests {
  /// What a row does.
  enum Step: Sendable {
    case set(UInt64, request: String = "r", ifAvailable: UInt64? = nil)
    case adjust(Int64, request: String)
    case retire(request: String)
    case reserve(String = "k", _ qty: UInt64 = 1, user: String = "u", ttlMs: UInt64 = 60_000)
    case confirm(String = "k", _ ref: String = "pay")
    case cancel(String = "k")
    /// To so long after it was made.
    case extend(String = "k", ms: UInt64)
    case release(String = "k")
    case hold(String = "k")
    /// With a generation that is not the hold's.
    case confirmStale(String = "k")
    case cancelStale(String = "k")
    case stock
    case adopt
    /// A person writes into `stock:x`.
    case write(String)
  }

  struct Table: CustomTestStringConvertible, Sendable {
    let name: String
    let rows: [(Step, Outcome)]
    var available: UInt64?
    var testDescription: String { name }
  }

  static let tables: [Table] = [
    Table(
      name: "last units",
      rows: [
        (.set(3), .stockSet), (.reserve("a", 2), .held), (.reserve("b", 2), .soldOut),
        (.reserve("c", 1), .held), (.reserve("d", 1), .soldOut),
      ], available: 0),
    Table(
      name: "unknown SKU is not sold out",
      rows: [(.reserve(), .unknownSKU), (.stock, .unknownSKU), (.adopt, .unknownSKU)]),
    Table(
      name: "sold out is forgotten: the same key may succeed later",
      rows: [
        (.set(0), .stockSet), (.reserve(), .soldOut), (.set(1, request: "s"), .stockSet),
        (.reserve(), .held),
      ], available: 0),
    Table(
      name: "a repeat takes nothing and shows the hold as it is",
      rows: [
        (.set(5), .stockSet), (.reserve(), .held), (.reserve(), .repeated),
        (.confirm(), .confirmed),
        (.reserve(), .repeated),
      ], available: 4),
    Table(
      name: "the key belongs to one request",
      rows: [
        (.set(5), .stockSet), (.reserve("k", 1), .held), (.reserve("k", 2), .keyReused),
        (.reserve("k", 1, ttlMs: 61_000), .keyReused), (.reserve("k", 1, user: "v"), .held),
      ], available: 3),
    Table(
      name: "confirm once, with one payment",
      rows: [
        (.set(1), .stockSet), (.reserve(), .held), (.confirm(), .confirmed),
        (.confirm(), .repeated),
        (.confirm("k", "other"), .paymentRefMismatch), (.cancel(), .alreadyConfirmed),
      ], available: 0),
    Table(
      name: "cancel gives back once",
      rows: [
        (.set(1), .stockSet), (.reserve(), .held), (.cancel(), .cancelled), (.cancel(), .repeated),
        (.confirm(), .alreadyCancelled), (.stock, .found),
      ], available: 1),
    Table(
      name: "a hold that never was",
      rows: [
        (.set(1), .stockSet), (.confirm(), .noSuchHold), (.cancel(), .noSuchHold),
        (.hold(), .noSuchHold),
      ], available: 1),
    Table(
      name: "another generation of the hold is another hold",
      rows: [
        (.set(1), .stockSet), (.reserve(), .held), (.confirmStale(), .noSuchHold),
        (.cancelStale(), .noSuchHold), (.hold(), .found), (.confirm(), .confirmed),
      ], available: 0),
    Table(
      name: "a set is repeated by its request id",
      rows: [
        (.set(5), .stockSet), (.reserve(), .held), (.set(5), .repeated), (.stock, .found),
        (.set(6), .requestIDReused), (.set(6, request: "s"), .stockSet),
      ], available: 6),
    Table(
      name: "no more units than can be counted",
      rows: [
        (.set(1_000_000_000_000), .stockSet), (.reserve("k", 1_000_000), .held),
        (.set(1_000_000_000_000, request: "s"), .tooManyUnits),
        (.set(999_999_000_000, request: "s"), .stockSet),
      ], available: 999_999_000_000),
    Table(
      name: "an adjustment adds, takes away, and never takes what is not there",
      rows: [
        (.adjust(5, request: "a"), .unknownSKU), (.set(3), .stockSet), (.reserve(), .held),
        (.adjust(5, request: "a"), .stockAdjusted), (.adjust(-7, request: "b"), .stockAdjusted),
        (.adjust(-1, request: "c"), .tooFewAvailable), (.stock, .found),
        (.adjust(1, request: "c"), .stockAdjusted), (.confirm(), .confirmed),
      ], available: 1),
    Table(
      name: "an adjustment is repeated by its request id, which is one with those of sets",
      rows: [
        (.set(3), .stockSet), (.adjust(5, request: "a"), .stockAdjusted),
        (.adjust(5, request: "a"), .repeated), (.adjust(6, request: "a"), .requestIDReused),
        (.set(8, request: "a"), .requestIDReused), (.adjust(3, request: "r"), .requestIDReused),
        (.retire(request: "a"), .requestIDReused),
      ], available: 8),
    Table(
      name: "an adjustment keeps within what can be counted",
      rows: [
        (.set(999_999_999_999), .stockSet), (.adjust(2, request: "a"), .tooManyUnits),
        (.adjust(1_000_000_000_000, request: "a"), .tooManyUnits),
        (.adjust(1, request: "a"), .stockAdjusted),
        (.adjust(-1_000_000_000_000, request: "b"), .stockAdjusted),
      ], available: 0),
    Table(
      name: "compare and set: only from the figure that the caller has seen; a repeat needs none",
      rows: [
        (.set(3, ifAvailable: 1), .availableDiffers), (.stock, .unknownSKU),
        (.set(3, ifAvailable: 0), .stockSet), (.set(3, ifAvailable: 0), .repeated),
        (.set(9, request: "s", ifAvailable: 2), .availableDiffers),
        (.set(9, request: "s", ifAvailable: 3), .stockSet),
        (.set(9, request: "s", ifAvailable: 9), .repeated),
      ], available: 9),
    Table(
      name: "a closed SKU is neither adjusted nor retired nor compared",
      rows: [
        (.set(3), .stockSet), (.write("4"), .stockMismatch),
        (.adjust(1, request: "a"), .stockMismatch), (.retire(request: "b"), .stockMismatch),
        (.set(5, request: "c", ifAvailable: 4), .stockMismatch), (.adopt, .stockAdopted),
        (.adjust(1, request: "a"), .stockAdjusted),
      ], available: 5),
    Table(
      name: "retired: nothing new begins, what was promised can finish, a set brings it back",
      rows: [
        (.retire(request: "a"), .unknownSKU), (.set(5), .stockSet), (.reserve("a"), .held),
        (.reserve("b"), .held), (.retire(request: "q"), .stockRetired),
        (.reserve("c"), .notForSale), (.reserve("a"), .repeated), (.confirm("a"), .confirmed),
        (.cancel("b"), .cancelled), (.retire(request: "q"), .repeated),
        (.retire(request: "p"), .repeated), (.adjust(2, request: "s"), .stockAdjusted),
        (.reserve("c"), .notForSale), (.write("9"), .stockMismatch), (.adopt, .stockAdopted),
        (.reserve("c"), .notForSale), (.stock, .found), (.set(2, request: "t"), .stockSet),
        (.reserve("c"), .held), (.retire(request: "q"), .repeated), (.reserve("d"), .held),
      ], available: 0),
    Table(
      name: "extended: later, never earlier, the same deadline once, and only so often",
      rows: [
        (.set(3), .stockSet), (.extend(ms: 70_000), .noSuchHold), (.reserve(), .held),
        (.extend(ms: 70_000), .extended), (.extend(ms: 70_000), .repeated),
        (.extend(ms: 69_999), .repeated), (.extend(ms: 0), .repeated), (.reserve(), .repeated),
      ] + (2...10).map { (.extend(ms: 70_000 + $0), .extended) } + [
        (.extend(ms: 90_000), .extendedTooOften), (.extend(ms: 70_010), .repeated),
        (.confirm(), .confirmed), (.extend(ms: 99_000), .alreadyConfirmed),
        (.reserve("b"), .held), (.cancel("b"), .cancelled),
        (.extend("b", ms: 99_000), .alreadyCancelled),
      ], available: 2),
    Table(
      name: "extended in a closed SKU, and in a retired one: its holds go on",
      rows: [
        (.set(3), .stockSet), (.reserve(), .held), (.retire(request: "q"), .stockRetired),
        (.extend(ms: 70_000), .extended), (.write("9"), .stockMismatch),
        (.extend(ms: 80_000), .extended), (.adopt, .stockAdopted),
      ], available: 9),
    Table(
      name: "released by a person: what a cancel does, once",
      rows: [
        (.set(1), .stockSet), (.release(), .noSuchHold), (.reserve(), .held),
        (.release(), .cancelled), (.release(), .repeated), (.cancel(), .repeated),
        (.confirm(), .alreadyCancelled), (.reserve("b"), .held), (.confirm("b"), .confirmed),
        (.release("b"), .alreadyConfirmed),
      ], available: 0),
    Table(
      name: "a bare SET is adopted while the SKU is new",
      rows: [
        (.write("3"), .found), (.reserve(), .held), (.stock, .found), (.adopt, .repeated),
      ], available: 2),
    Table(
      name: "a figure changed by hand closes the SKU until it is adopted",
      rows: [
        (.set(5), .stockSet), (.reserve("a"), .held), (.write("9"), .stockMismatch),
        (.reserve("b"), .stockMismatch), (.set(7, request: "s"), .stockMismatch),
        (.reserve("a"), .repeated), (.adopt, .stockAdopted), (.reserve("b"), .held),
      ], available: 8),
    Table(
      name: "in a closed SKU what was promised can finish",
      rows: [
        (.set(5), .stockSet), (.reserve("a"), .held), (.reserve("b"), .held),
        (.write("7"), .stockMismatch), (.confirm("a"), .confirmed), (.cancel("b"), .cancelled),
        (.adopt, .stockAdopted),
      ], available: 8),
    Table(
      name: "text in stock:x closes it, also when new",
      rows: [
        (.write("many"), .stockMismatch), (.reserve(), .stockMismatch), (.adopt, .stockMismatch),
      ]
    ),
    Table(
      name: "a negative or a fraction is no stock",
      rows: [
        (.write("-1"), .stockMismatch), (.reserve(), .stockMismatch),
        (.write("1.5"), .stockMismatch),
        (.reserve(), .stockMismatch), (.write("1e3"), .stockMismatch), (.write(""), .stockMismatch),
        (.write("2"), .found), (.reserve(), .held),
      ], available: 1),
  ]

  @Test("table", arguments: tables)
  func table(_ table: Table) async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try StoreLane(redis)
    try await lane.open()
    var model = Model()
    var ids: [String: HoldID] = [:]
    for (place, (step, expected)) in table.rows.enumerated() {
      let operation = Self.operation(step, ids)
      if case .write(let text) = step {
        try await lane.redis("SET", "stock:x", text)
        model.shown[Sample.x] = text
      }
      let answer = try await lane.script([(operation, Sample.x)])[0]
      #expect(answer.outcome == expected, "row \(place): \(step) on Redis")
      #expect(model.apply(operation, now: answer.now) == answer, "row \(place): \(step)")
      if case .reserve(let reservation) = operation, let hold = answer.hold {
        ids[reservation.key.text] = hold.id
      }
    }
    let figures = try await lane.script([(.getStock(Sample.x), nil)])[0].figures
    #expect(figures?.balance ?? true)
    if let available = table.available { #expect(figures?.available == available) }
    #expect(try await lane.events() == model.events)
    await lane.close()
    redis.stop()
  }

  static func operation(_ step: Step, _ ids: [String: HoldID]) -> Operation {
    func id(_ key: String, later: UInt64 = 0) -> HoldID {
      let known = ids[key] ?? HoldID(key: Sample.reservation(key).hold, generation: 1)
      return HoldID(key: known.key, generation: known.generation + later)
    }
    switch step {
    case .set(let units, let request, let expected):
      return Sample.order(.set(units, ifAvailable: expected), request: request)
    case .adjust(let delta, let request): return Sample.order(.adjust(delta), request: request)
    case .retire(let request): return Sample.order(.retire, request: request)
    case .reserve(let key, let qty, let user, let ttlMs):
      return Sample.reserve(key, qty: qty, user: user, ttlMs: ttlMs)
    case .confirm(let key, let ref): return .confirm(id(key), paymentRef: Sample.label(ref))
    case .cancel(let key): return .cancel(id(key))
    case .confirmStale(let key):
      return .confirm(id(key, later: 1), paymentRef: Sample.label("pay"))
    case .cancelStale(let key): return .cancel(id(key, later: 1))
    case .extend(let key, let ms):
      return .extend(id(key), expiresAt: id(key).generation + ms)
    case .release(let key):
      return .cancel(
        id(key), by: Attribution(actor: Sample.label("ada"), reason: Sample.label("a call")))
    case .hold(let key): return .getHold(id(key).key, generation: nil)
    case .stock, .write: return .getStock(Sample.x)
    case .adopt: return .adoptStock(Sample.x)
    }
  }

  @Test("operations of one batch see each other, in their order")
  func oneBatch() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try StoreLane(redis)
    try await lane.open()
    let answers = try await lane.script([
      (Sample.set(2), nil), (Sample.reserve("a"), nil), (Sample.reserve("a"), nil),
      (Sample.reserve("b"), nil), (Sample.reserve("c"), nil), (.getStock(Sample.x), nil),
    ])
    #expect(
      answers.map(\.outcome) == [.stockSet, .held, .repeated, .held, .soldOut, .found])
    let a = try #require(answers[1].hold?.id)
    let next = try await lane.script([
      (.cancel(a), Sample.x), (.cancel(a), Sample.x), (Sample.reserve("c"), nil),
      (.confirm(a, paymentRef: Sample.label("p")), Sample.x),
    ])
    #expect(next.map(\.outcome) == [.cancelled, .repeated, .held, .alreadyCancelled])
    #expect(try await lane.redis("GET", "stock:x") == ["0"])
    await lane.close()
    redis.stop()
  }

  @Test("a bare SET is adopted by the first operation of a batch on its SKU, and by no other")
  func adoptedOnce() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try StoreLane(redis)
    try await lane.open()
    let first: [(Operation, Outcome)] = [
      (.getStock(Sample.x), .found), (Sample.reserve(), .held),
      (.adoptStock(Sample.x), .stockAdopted),
    ]
    for (operation, outcome) in first {
      _ = try await lane.redis("DEL", "stock:x", "sku:x")
      _ = try await lane.redis("SET", "stock:x", "3")
      let answers = try await lane.script([(operation, nil), (.adoptStock(Sample.x), nil)])
      #expect(answers.map(\.outcome) == [outcome, .repeated])
    }
    await lane.close()
    redis.stop()
  }

  @Test("time: refused at the deadline without a sweep; swept once; forgotten after retention")
  func time() async throws {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try StoreLane(
      redis, retention: Retention(confirmedMs: 300, releasedMs: 300, settleMs: 300))
    try await lane.open()
    let held = try await lane.script([(Sample.set(1), nil), (Sample.reserve(ttlMs: 50), nil)])
    let id = try #require(held[1].hold?.id)
    try await eventually("the deadline passes") {
      let answer = try await lane.script([(.getHold(id.key, generation: nil), nil)])[0]
      return answer.hold?.status == .active && answer.hold?.status(at: answer.now) == .expired
    }
    let late = try await lane.script([(.confirm(id, paymentRef: Sample.label("p")), Sample.x)])
    #expect(late[0].outcome == .expired)
    #expect(try await lane.script([(.cancel(id), Sample.x)])[0].outcome == .expired)
    #expect(try await lane.redis("GET", "stock:x") == ["0"], "no sweep has run")
    func sweep() async throws -> [Outcome] {
      var outcomes: [Outcome] = []
      try await eventually("a member is due") {
        guard let member = await lane.due().first else { return false }
        outcomes = try await lane.script([(.expire(id), Sample.x)], swept: member).map(\.outcome)
        let again = try await lane.script([(.expire(id), Sample.x)], swept: member)
        #expect(again.map(\.outcome) == [.notDue], "a member that has gone is not swept again")
        return true
      }
      return outcomes
    }
    #expect(try await sweep() == [.expired])
    #expect(try await lane.redis("GET", "stock:x") == ["1"])
    #expect(try await lane.redis("GET", "hold:\(id.key)") != [""], "remembered")
    #expect(try await sweep() == [.forgotten])
    #expect(try await lane.redis("GET", "hold:\(id.key)") == [""], "forgotten")
    #expect(try await lane.redis("ZRANGE", "holds.expiry", "0", "-1") == [""])
    #expect(
      try await lane.script([(.getHold(id.key, generation: nil), nil)])[0].outcome == .noSuchHold)
    let again = try await lane.script([(Sample.reserve(), nil)])[0]
    #expect(again.outcome == .held && again.hold?.id != id, "a new life has a new generation")
    #expect(
      try await lane.events().map(\.type) == [.stockSet, .holdCreated, .holdExpired, .holdCreated])
    await lane.close()
    redis.stop()
  }
}
