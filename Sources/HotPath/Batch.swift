public import Inventory
public import Logging
public import Loop
import Wire

/// Why an operation has no answer.
public enum StoreFault: Error, Equatable {
  /// The deadline passed.  `sent`: the operation may have reached Redis.
  case deadline(sent: Bool)
  /// The service is ending.  `sent`: the operation may have reached Redis.
  case closing(sent: Bool)
  /// Too many operations are waiting.
  case overloaded
  /// Redis refused the script before its first write.  Its text is in the log.  `sent`: an earlier
  /// attempt may have reached Redis.
  case refused(sent: Bool)
  /// The script failed where it must not.  Its text is in the log.
  case failed
}

/// A shard's group commit: what arrives while a batch is at Redis travels together with the next.
///
/// How it works.  An operation that is alone goes at the end of the pass it came in.  While a batch is
/// out, others wait; when it is back they go as one script call, so that one counter update, one
/// stream entry and one fdatasync serve all of them.
///
/// When the link dies with a batch out, nobody knows whether the script ran.  Its operations go back
/// to the front of the queue and are sent again, unchanged: each carries its own identity, so that
/// one which did happen answers as a repeat.  One whose deadline passes first is answered
/// `.deadline(sent: true)`.
///
/// Lives on the loop's queue.
public final class Batch: EndOfPass {
  /// Operations in one script call: about 2 ms of Redis at the worst measured cost.
  public static let operationsMax = 256
  /// Bytes of operations in one script call.
  public static let operationBytesMax = 128 * 1024
  /// Different SKUs in one script call; each costs Redis two reads and two writes.
  public static let skusMax = 128
  /// Operations waiting; beyond it callers are told RESOURCE_EXHAUSTED.
  public static let waitingMax = 65_536
  /// How often deadlines are looked at while anything waits.
  static let deadlineCheckMs: UInt64 = 10

  /// Called exactly once for each operation.
  public typealias Completion = (Result<Answer, StoreFault>) -> Void

  private struct Pending {
    let operation: Operation
    var call: ScriptCall
    /// Nanoseconds of CLOCK_MONOTONIC.
    let deadline: UInt64
    /// nil once it has been called.
    var completion: Completion?
    /// It may have happened: a batch that it was in has ended without a word, or is out.
    var sent = false
    /// It may have happened: a batch that it was in has ended without a word.
    var uncertain = false
  }

  /// Members of the expiry index, as the sweep hands them in.
  struct Sweep {
    let members: [(bytes: [UInt8], holds: [HoldID])]
    /// Called once, with how many of the members the script has removed.
    let done: (Int) -> Void
  }

  /// What is at Redis.
  private struct Flight {
    var pending: [Pending]
    var sweep: Sweep?
  }

  private let store: Store
  private let loop: EventLoop
  private let logger: Logger
  private let arena = Arena()
  private var scratch = ByteBuffer()
  private var waiting: [Pending] = []
  private var first = 0
  private var sweeps: [(sweep: Sweep, pending: [Pending])] = []
  private var flight: Flight?
  private var sweptLast = false
  private var watching = false
  private var closing = false

  /// A batch on a store.  Takes over `store.changed`.
  public init(on store: Store, loop: EventLoop, logger: Logger) {
    self.store = store
    self.loop = loop
    self.logger = logger
    store.changed = { [weak self] in
      guard let self else { return }
      loop.putOff(self)
    }
  }

  /// Operations that wait or are at Redis.
  public var outstanding: Int { waiting.count - first + (flight?.pending.count ?? 0) }

  /// Hands an operation in.
  /// - Parameter deadline: nanoseconds of CLOCK_MONOTONIC.
  public func submit(
    _ operation: Operation, deadline: UInt64, _ completion: @escaping Completion
  ) {
    guard !closing else { return completion(.failure(.closing(sent: false))) }
    guard waiting.count - first < Self.waitingMax else {
      return completion(.failure(.overloaded))
    }
    waiting.append(
      Pending(
        operation: operation, call: encode(operation), deadline: deadline,
        completion: completion))
    if flight == nil { loop.putOff(self) }
    watchDeadlines()
  }

  /// Judges every hold of some members of the expiry index, between two batches.
  func submit(_ sweep: Sweep) {
    var pending: [Pending] = []
    for (place, member) in sweep.members.enumerated() {
      for hold in member.holds {
        let call = encode(.expire(hold), member: UInt16(place + 1))
        pending.append(
          Pending(operation: .expire(hold), call: call, deadline: .max, completion: nil))
      }
    }
    sweeps.append((sweep, pending))
    if flight == nil { loop.putOff(self) }
  }

  /// Refuses new operations, and answers those that cannot be sent any more.  Call when those that
  /// were accepted have been given their time.
  public func close() {
    closing = true
    for place in waiting.indices.dropFirst(first) {
      waiting[place].completion?(.failure(.closing(sent: waiting[place].sent)))
    }
    waiting.removeAll()
    first = 0
    guard let out = flight else { return }
    flight = nil
    for pending in out.pending { pending.completion?(.failure(.closing(sent: true))) }
  }

  private func encode(_ operation: Operation, member: UInt16 = 0) -> ScriptCall {
    defer { arena.reset() }
    return ScriptCall(operation, arena: arena, through: &scratch, member: member)
  }

  // MARK: out

  /// Sends the next batch, if Redis is free for it.
  public func endOfPass() {
    guard flight == nil, store.isOpen else { return }
    if !sweeps.isEmpty, !sweptLast || first == waiting.count {
      sweptLast = true
      let (sweep, pending) = sweeps.removeFirst()
      return send(Flight(pending: pending, sweep: sweep))
    }
    sweptLast = false
    let pending = takeBatch()
    if !pending.isEmpty { send(Flight(pending: pending, sweep: nil)) }
  }

  private func takeBatch() -> [Pending] {
    var batch: [Pending] = []
    var skus: Set<SKU> = []
    var bytes = 0
    while first < waiting.count, batch.count < Self.operationsMax,
      bytes < Self.operationBytesMax, skus.count < Self.skusMax
    {
      let pending = waiting[first]
      first += 1
      guard pending.completion != nil else { continue }
      guard pending.deadline > loop.now else {
        pending.completion?(.failure(.deadline(sent: pending.sent)))
        continue
      }
      bytes += pending.call.argument.count
      if let sku = pending.call.sku { skus.insert(sku) }
      batch.append(pending)
    }
    if first == waiting.count {
      waiting.removeAll(keepingCapacity: first <= Self.operationsMax * 4)
      first = 0
    } else if first > 4096 {
      waiting.removeFirst(first)
      first = 0
    }
    return batch
  }

  private func send(_ out: Flight) {
    flight = out
    for place in flight!.pending.indices { flight!.pending[place].sent = true }
    store.run(out.pending.map(\.call), swept: out.sweep?.members.map(\.bytes) ?? []) {
      [weak self] outcome in
      self?.returned(outcome)
    }
  }

  // MARK: back

  private func returned(_ outcome: Store.Outcome) {
    guard let back = flight else { return }
    flight = nil
    switch outcome {
    case .replied(let reply): answer(back, reply)
    case .unknown:
      putBack(
        back.pending.map { pending in
          var pending = pending
          pending.uncertain = true
          return pending
        }, back.sweep)
    case .notRun: putBack(back.pending.map { unsent($0) }, back.sweep)
    case .refused: fail(back) { .refused(sent: $0.uncertain) }
    case .failed: fail(back) { _ in .failed }
    }
    loop.putOff(self)
  }

  /// As it was before the batch that has just come back without doing it.
  private func unsent(_ pending: Pending) -> Pending {
    var pending = pending
    pending.sent = pending.uncertain
    return pending
  }

  private func answer(_ back: Flight, _ reply: Store.Reply) {
    var again: [Pending] = []
    for (place, pending) in back.pending.enumerated() {
      do {
        let result = try ScriptResult(
          reply[place], for: pending.operation, now: reply.now, arena: arena)
        switch result {
        case .answer(let answer): pending.completion?(.success(answer))
        case .skuNeeded(let sku):
          var pending = unsent(pending)
          pending.call.sku = sku
          again.append(pending)
        }
      } catch {
        logger.error("the script's reply cannot be read", metadata: ["error": "\(error)"])
        pending.completion?(.failure(.failed))
      }
      arena.reset()
    }
    if let sweep = back.sweep {
      // All or nothing: the script wrote nothing if it did not know a SKU.
      if again.isEmpty {
        sweep.done(reply.swept)
      } else {
        sweeps.insert((sweep, merged(back, again)), at: 0)
      }
    } else {
      putBack(again, nil)
    }
  }

  /// A sweep's holds, with the SKUs that the script has just named.
  private func merged(_ back: Flight, _ named: [Pending]) -> [Pending] {
    var skus: [HoldKey: SKU] = [:]
    for pending in named {
      if let hold = pending.call.hold { skus[hold] = pending.call.sku }
    }
    return back.pending.map { pending in
      var pending = unsent(pending)
      pending.call.sku = pending.call.sku ?? pending.call.hold.flatMap { skus[$0] }
      return pending
    }
  }

  private func putBack(_ pending: [Pending], _ sweep: Sweep?) {
    if let sweep {
      sweep.done(0)  // the next sweep finds the members again
    } else if !pending.isEmpty {
      waiting.replaceSubrange(..<first, with: pending.filter { $0.completion != nil })
      first = 0
    }
  }

  private func fail(_ back: Flight, _ fault: (Pending) -> StoreFault) {
    for pending in back.pending { pending.completion?(.failure(fault(pending))) }
    back.sweep?.done(0)
  }

  // MARK: deadlines

  private func watchDeadlines() {
    guard !watching else { return }
    watching = true
    loop.after(ms: Self.deadlineCheckMs) { [weak self] in
      guard let self else { return }
      watching = false
      checkDeadlines()
      if outstanding > 0 { watchDeadlines() }
    }
  }

  private func checkDeadlines() {
    let now = loop.now
    var expired: [Pending] = []
    if waiting.dropFirst(first).contains(where: { $0.deadline <= now }) {
      expired = waiting.dropFirst(first).filter { $0.deadline <= now }
      waiting = waiting.dropFirst(first).filter { $0.deadline > now }
      first = 0
    }
    for pending in expired { pending.completion?(.failure(.deadline(sent: pending.sent))) }
    guard let out = flight, out.sweep == nil else { return }
    for place in out.pending.indices where out.pending[place].deadline <= now {
      out.pending[place].completion?(.failure(.deadline(sent: true)))
      flight?.pending[place].completion = nil
    }
  }
}
