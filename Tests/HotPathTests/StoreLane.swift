import Harness
import Inventory
import Logging
import Loop
import Wire

@testable import HotPath

/// A store on a queue of its own, driven as a shard drives it.
actor StoreLane {
  private let executor = LoopExecutor(label: "test.store")
  private let loop: EventLoop
  let store: Store
  let batch: Batch
  private let sweep: Sweep
  let keys: KeySpace
  /// One for each operation that was handed in, in order.
  private var tickets: [Batch.Ticket] = []
  /// Operations that were answered.
  private(set) var told = 0

  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// - Parameter port: of a proxy in front of the Redis.
  init(
    _ redis: RedisServer, port: UInt16? = nil, retention: Retention = Retention(),
    floorMs: UInt64 = Limits.retentionFloorMsDefault
  ) throws {
    var logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    logger.logLevel = .critical
    loop = try EventLoop(on: executor)
    keys = KeySpace()
    var settings = Store.Settings(
      address: RedisAddress("redis://127.0.0.1:\(port ?? redis.port)")!)
    settings.retention = retention
    settings.retentionFloorMs = floorMs
    store = Store(settings, writer: "test.0", keys: keys, on: loop, logger: logger)
    batch = Batch(on: store, loop: loop, logger: logger)
    sweep = Sweep(of: store, through: batch, on: loop, logger: logger)
  }

  func start() { store.start() }

  func open() async throws {
    start()
    try await eventually("the store opens") { store.isOpen }
  }

  func startSweep() { sweep.start() }

  func close() {
    sweep.stop()
    store.close()
    loop.stop()
  }

  var isOpen: Bool { store.isOpen }
  var downReason: String? { store.downReason }
  var warnings: [String] { store.warnings }
  var retention: Retention { store.retention }
  var placing: Bool { store.placing == .yes }
  var outstanding: Int { batch.outstanding }
  var waiting: Int { batch.waiting }
  /// Scripts that have come back.
  var scripts: UInt64 { batch.counters.scripts }
  var atRedis: Int { batch.outstanding - batch.waiting }

  /// Takes back the operation that was handed in at this place, from 0.
  func withdraw(place: Int) -> Bool { batch.withdraw(tickets[place]) }

  /// One script call with exactly these operations, in this order.  The SKUs of holds are named as
  /// the batch would name them the second time.
  func script(
    _ operations: [(operation: Operation, sku: SKU?)], swept: IndexMember? = nil
  ) async throws -> [Answer] {
    var command = ScriptCommand(keys: keys)
    for (operation, sku) in operations { command.add(operation, sku: sku, member: 1) }
    return try await withCheckedThrowingContinuation { continuation in
      store.run(&command, swept: swept.map { [$0] } ?? []) { outcome in
        guard case .replied(let reply) = outcome else {
          return continuation.resume(throwing: HarnessError("the script ended as \(outcome)"))
        }
        continuation.resume(
          with: Result { try self.answers(reply, operations.map(\.operation)) })
      }
    }
  }

  private nonisolated func answers(
    _ reply: Store.Reply, _ operations: [Operation]
  ) throws -> [Answer] {
    var results = reply.results
    return try operations.enumerated().map { place, operation in
      let result = try ScriptResult(
        results.next(), for: operation, now: reply.now, arena: Arena())
      guard case .answer(let answer) = result else {
        throw HarnessError("the script needed the SKU of operation \(place)")
      }
      return answer
    }
  }

  /// Through the batch, each by itself, all handed in together.
  func submit(
    _ operations: [Operation], timeoutMs: UInt64 = 10_000
  ) async -> [Result<Answer, StoreFault>] {
    await submit(operations, timeoutsMs: operations.map { _ in timeoutMs })
  }

  /// The same, each with a time limit of its own.
  func submit(
    _ operations: [Operation], timeoutsMs: [UInt64]
  ) async -> [Result<Answer, StoreFault>] {
    await withCheckedContinuation { continuation in
      var results = [Result<Answer, StoreFault>?](repeating: nil, count: operations.count)
      var open = operations.count
      for (place, operation) in operations.enumerated() {
        let deadline = monotonicNow() + timeoutsMs[place] * 1_000_000
        let ticket = batch.submit(operation, deadline: deadline) { result in
          precondition(results[place] == nil, "answered twice")
          results[place] = result
          self.assumeIsolated { $0.told += 1 }
          open -= 1
          if open == 0 { continuation.resume(returning: results.map { $0! }) }
        }
        tickets.append(ticket)
      }
    }
  }

  func due() async -> [IndexMember] {
    await withCheckedContinuation { continuation in
      store.readDue(limit: 4) { continuation.resume(returning: $0) }
    }
  }

  /// Puts a member into the expiry index.
  func addDue(score: Int, _ member: [UInt8]) async {
    let command = ["ZADD", keys.expiry, "\(score)"].map { Array($0.utf8) } + [member]
    await withCheckedContinuation { continuation in
      store.link.send(command) { _ in continuation.resume() }
    }
  }

  /// A plain command to Redis.
  @discardableResult
  func redis(_ arguments: String...) async throws -> [String] {
    try await withCheckedThrowingContinuation { continuation in
      store.link.send(arguments) { reply in
        guard let reply, reply.error == nil else {
          return continuation.resume(
            throwing: HarnessError("\(arguments): \(reply?.error ?? "link died")"))
        }
        continuation.resume(
          returning: reply.count > 0 ? reply.elements.map { $0.text ?? "" } : [reply.text ?? ""])
      }
    }
  }

  /// Every event in the stream, decoded, in order.
  func events() async throws -> [Event] {
    try await withCheckedThrowingContinuation { continuation in
      store.link.send(["XRANGE", keys.events, "-", "+"]) { reply in
        continuation.resume(
          with: Result {
            var events: [Event] = []
            for entry in reply?.elements ?? [] {
              let pairs = entry[1]
              for place in stride(from: 2, to: pairs.count, by: 2) {
                events.append(
                  try Event(
                    type: pairs[place].text ?? "", pairs[place + 1].bytes, arena: Arena()))
              }
            }
            return events
          })
      }
    }
  }
}

/// Reservations for tests.
enum Sample {
  static func sku(_ name: String) -> SKU { SKU(name)! }
  static func label(_ text: String) -> Label { Label(text)! }
  static let x = sku("x")

  static func reservation(
    _ key: String = "k", sku: SKU = x, qty: UInt64 = 1, user: String = "u",
    ttlMs: UInt64 = 60_000, trace: TraceContext? = nil
  ) -> Reservation {
    Reservation.of(
      hold: Identity().hold(user: label(user), key: label(key)), sku: sku, qty: qty,
      user: label(user), key: label(key), ttlMs: ttlMs, requestedTTLMs: ttlMs, trace: trace)
  }

  static func reserve(
    _ key: String = "k", sku: SKU = x, qty: UInt64 = 1, user: String = "u",
    ttlMs: UInt64 = 60_000, trace: TraceContext? = nil
  ) -> Operation {
    .reserve(reservation(key, sku: sku, qty: qty, user: user, ttlMs: ttlMs, trace: trace))
  }

  static func set(
    _ available: UInt64, request: String = "r", sku: SKU = x, trace: TraceContext? = nil
  ) -> Operation {
    .changeStock(
      StockOrder(.set(available), of: sku, requestID: label(request), trace: trace))
  }

  static func order(
    _ change: StockOrder.Change, request: String, sku: SKU = x, reason: String? = nil,
    actor: String? = nil
  ) -> Operation {
    .changeStock(
      StockOrder(
        change, of: sku, requestID: label(request),
        attribution: Attribution(actor: actor.map(label), reason: reason.map(label))))
  }

  /// A trace for every second number, so that half of the callers send none.
  static func trace(_ number: Int) -> TraceContext? {
    number % 2 == 0
      ? nil : TraceContext(traceHigh: 1, traceLow: UInt64(number), parent: 7, flags: 1)
  }
}
