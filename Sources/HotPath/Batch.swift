public import Inventory
public import Logging
public import Loop
import Wire

/// A shard's group commit: what arrives while a batch is at Redis travels together with the next.
///
/// How it works.  An operation that is alone goes at the end of the pass it came in.  While a batch is
/// out, others wait; when it is back they go as one script call, so that one counter update, one
/// stream entry and one fdatasync serve all of them.  When a whole batch waits, it goes as well, and is
/// at Redis when the one before it has been done: a server that has much to do, or no core, does not
/// keep Redis waiting.  When more wait than fit into one call, their sources take turns (`BatchQueue`);
/// when they would wait for long, they are refused at once (`BatchAdmission`).
///
/// When the link dies with batches out, nobody knows whether the script ran.  Their operations go back
/// to the front of the queue and are sent again, unchanged: each carries its own identity, so that
/// one which did happen answers as a repeat.  One whose deadline passes first is answered
/// `.deadline(sent: true)`.
///
/// Lives on the loop's queue.
public final class Batch: EndOfPass {
  /// Operations in one script call: some 2 ms of Redis.
  public static let operationsMax = 256
  /// Bytes of operations in one script call.
  public static let operationBytesMax = 128 * 1024
  /// Different SKUs in one script call; each costs Redis two reads and two writes.
  public static let skusMax = 128
  /// Operations waiting; beyond it callers are told RESOURCE_EXHAUSTED.
  public static let waitingMax = 65_536
  /// Once a call is refused, callers are left to gather for so long.
  static let restMs: UInt64 = 10
  /// Script calls on their way to Redis or back; more than one only when each is full.
  static let flightsMax = 2
  /// How often deadlines are looked at while anything waits.
  static let deadlineCheckMs: UInt64 = 10

  /// Called exactly once for each operation.
  public typealias Completion = (Result<Answer, StoreFault>) -> Void

  typealias Told = (pending: Pending, result: Result<Answer, StoreFault>)

  let store: Store
  private let loop: EventLoop
  private let logger: Logger
  private let arena = Arena()
  private var command: ScriptCommand
  var queue = BatchQueue<Pending>(fitting: operationsMax)
  private var admission = BatchAdmission()
  /// Operations in the queue that were taken back, and leave it when their turn comes.
  var withdrawn = 0
  /// No operation in the queue has an earlier deadline.
  private var earliestDeadline = UInt64.max
  private var sweeps: [(sweep: Sweep, pending: [Pending])] = []
  /// In the order in which they come back.
  private var flights = FIFO<Flight>()
  /// What has come back; its callers hear of it when the next batch is on its way.
  var answered: [Told] = []
  private var telling: [Told] = []
  /// What has come back from Redis so far.
  public private(set) var counters = BatchCounters()
  private var sweptLast = false
  /// When Redis had done the last batch, if it had others to do then.
  private var busySince: UInt64?
  private var isPutOff = false
  private var watching = false
  private var closing = false

  /// A batch on a store.  Takes over `store.changed`.
  public init(on store: Store, loop: EventLoop, logger: Logger) {
    self.store = store
    self.loop = loop
    self.logger = logger
    command = ScriptCommand(keys: store.keys)
    store.changed = { [weak self] in self?.putOff() }
  }

  /// Operations without an answer.
  public var outstanding: Int { waiting + inFlight + answered.count }

  /// Operations that are at Redis.
  public var inFlight: Int { flights.all.reduce(0) { $0 + $1.pending.count } }

  /// Operations that wait for their turn.
  public var waiting: Int { queue.count - withdrawn }

  // MARK: in

  /// Hands an operation in.
  /// - Parameters:
  ///   - deadline: nanoseconds of CLOCK_MONOTONIC.
  ///   - source: the connection that it comes from: connections take turns.
  /// - Returns: what `withdraw` needs.
  @discardableResult
  public func submit(
    _ operation: Operation, deadline: UInt64, source: UInt64 = 0,
    _ completion: @escaping Completion
  ) -> Ticket {
    if let fault = refusal(of: 1, deadline: deadline, source: source) {
      completion(.failure(fault))
      return Ticket(taken: .nothing)
    }
    let pending = enqueue(operation, deadline: deadline, source: source, completion)
    if mayGo { putOff() }
    return Ticket(taken: .one(pending))
  }

  /// Hands in operations that are admitted or refused together.  They need not go together.
  /// - Parameters:
  ///   - deadline: nanoseconds of CLOCK_MONOTONIC.
  ///   - source: the connection that they come from: connections take turns.
  ///   - completion: called once for each operation, with its place.
  /// - Returns: what `withdraw` needs.
  /// - Throws: the reason why none of them was taken; `completion` is not called then.
  @discardableResult
  public func submit(
    all operations: [Operation], deadline: UInt64, source: UInt64 = 0,
    _ completion: @escaping (Int, Result<Answer, StoreFault>) -> Void
  ) throws(StoreFault) -> Ticket {
    if let fault = refusal(of: operations.count, deadline: deadline, source: source) { throw fault }
    let pending = operations.enumerated().map { place, operation in
      enqueue(operation, deadline: deadline, source: source) { completion(place, $0) }
    }
    if mayGo { putOff() }
    return Ticket(taken: .many(pending))
  }

  /// Judges every hold of some members of the indexes, between two batches.
  func submit(_ sweep: Sweep) {
    var pending: [Pending] = []
    for (place, member) in sweep.members.enumerated() {
      for hold in member.holds {
        pending.append(
          Pending(
            .expire(hold), member: UInt16(place + 1), deadline: .max, source: 0, completion: nil))
      }
    }
    sweeps.append((sweep, pending))
    if mayGo { putOff() }
  }

  /// Refuses new operations, and answers those that cannot be sent any more.  Call when those that
  /// were accepted have been given their time.
  public func close() {
    closing = true
    tellCallers()
    while let pending = queue.next()?.element {
      pending.complete(.failure(.closing(sent: pending.sent)))
    }
    withdrawn = 0
    while let out = flights.popFirst() { out.end(.closing(sent: true)) }
  }

  /// Why operations of a source would not be taken now; nil: they would be.  Asked before a call is
  /// even decoded, so that saying no costs next to nothing.
  public func refusal(of count: Int = 1, deadline: UInt64, source: UInt64) -> StoreFault? {
    guard !closing else { return .closing(sent: false) }
    let verdict = admission.arrived(
      count, ahead: waiting < BatchAdmission.operationsFree ? 0 : queue.ahead(of: source),
      waiting: waiting, within: deadline > loop.now ? deadline - loop.now : 0)
    guard case .refused(let retryAfterMs) = verdict else { return nil }
    loop.rest(ms: Self.restMs)
    return .overloaded(retryAfterMs: retryAfterMs)
  }

  private func enqueue(
    _ operation: Operation, deadline: UInt64, source: UInt64, _ completion: @escaping Completion
  ) -> Pending {
    let pending = Pending(operation, deadline: deadline, source: source, completion: completion)
    queue.append(pending, source: source)
    earliestDeadline = min(earliestDeadline, deadline)
    watchDeadlines()
    return pending
  }

  // MARK: out

  /// Sends the next batch, if Redis is free for it, and then tells the callers of the last: Redis need
  /// not wait until a hundred answers are written, which is a tenth of the time between two batches.
  public func endOfPass() {
    isPutOff = false
    sendNext()
    guard !answered.isEmpty else { return }
    store.writeNow()
    tellCallers()
  }

  /// In the middle of something long: takes what the store has to say, and sends the next batch.  Callers
  /// hear of it at the end of the pass, so that none is called from in here.
  public func lookAtStore() {
    guard !flights.isEmpty else { return }
    loop.lookAtClock()
    store.readNow()
    guard mayGo else { return }
    sendNext()
    store.writeNow()
  }

  private func putOff() {
    guard !isPutOff else { return }
    isPutOff = true
    loop.putOff(self, first: true)
  }

  /// Whether a script call may leave: Redis has none, or a whole one waits.
  private var mayGo: Bool {
    flights.isEmpty || (flights.count < Self.flightsMax && waiting >= Self.operationsMax)
  }

  private func sendNext() {
    if store.absence == .refusing { return refuseWaiting() }
    while mayGo, store.isOpen, sendOne() {}
  }

  /// - Returns: false when there was nothing to send.
  private func sendOne() -> Bool {
    if !sweeps.isEmpty, !sweptLast || queue.count == 0 {
      sweptLast = true
      let (sweep, pending) = sweeps.removeFirst()
      command.clear()
      for expiry in pending {
        command.add(expiry.operation, sku: expiry.sku, member: expiry.member)
      }
      send(Flight(pending, sweep: sweep))
      return true
    }
    sweptLast = false
    let pending = takeBatch()
    guard !pending.isEmpty else { return false }
    admission.left(waiting: waiting)
    send(Flight(pending, leftOthers: waiting > 0))
    return true
  }

  private func takeBatch() -> [Pending] {
    command.clear()
    var batch: [Pending] = []
    batch.reserveCapacity(min(queue.count, Self.operationsMax))
    while !command.isFull, let pending = queue.next()?.element {
      guard !pending.isAnswered else {
        withdrawn -= 1
        continue
      }
      pending.leaves()
      guard pending.deadline > loop.now else {
        answered.append((pending, .failure(.deadline(sent: pending.sent))))
        continue
      }
      command.add(pending.operation, sku: pending.sku, deadline: pending.deadline)
      batch.append(pending)
    }
    queue.callIsFull()
    return batch
  }

  private func send(_ out: Flight) {
    flights.append(out)
    for pending in out.pending { pending.goesOut() }
    store.run(&command, swept: out.sweep?.members ?? []) { [self] in returned($0) }
  }

  // MARK: back

  private func returned(_ outcome: Store.Outcome) {
    guard let back = flights.popFirst() else { return }
    counters.returned(back.pending.count, after: monotonicNow() - back.sentAt)
    switch outcome {
    case .replied(let reply): answer(back, reply)
    case .unknown:
      for pending in back.pending { pending.wasLost() }
      putBack(back)
    case .notRun:
      for pending in back.pending { pending.cameBackUndone() }
      putBack(back)
    case .refused: fail(back) { .refused(sent: $0.uncertain) }
    case .failed: fail(back) { _ in .failed }
    }
    putOff()
  }

  private func answer(_ back: Flight, _ reply: Store.Reply) {
    var again: [Pending] = []
    var results = reply.results
    for pending in back.pending {
      do {
        let result = try ScriptResult(
          results.next(), for: pending.operation, now: reply.now, arena: arena)
        switch result {
        case .answer(let answer): answered.append((pending, .success(answer)))
        case .skuNeeded(let sku):
          pending.cameBackUndone()
          pending.sku = sku
          again.append(pending)
        case .tooLate:
          pending.cameBackUndone()
          if pending.deadline > loop.now {
            again.append(pending)  // the clocks were judged with too much care
          } else {
            answered.append((pending, .failure(.deadline(sent: pending.sent))))
          }
        }
      } catch {
        logger.error("the script's reply cannot be read", metadata: ["error": "\(error)"])
        answered.append((pending, .failure(.failed)))
      }
      arena.reset()
    }
    if let sweep = back.sweep {
      // All or nothing: the script wrote nothing if it did not know a SKU.
      guard !again.isEmpty else { return sweep.done(reply.swept) }
      nameSKUs(of: back, as: again)
      return sweeps.insert((sweep, back.pending), at: 0)
    }
    if back.leftOthers {
      admission.measured(
        back.pending.count - again.count, nanoseconds: loop.now - (busySince ?? back.sentAt))
    }
    putBack(again)
    busySince = waiting > 0 || !flights.isEmpty ? loop.now : nil
  }

  private func tellCallers() {
    swap(&telling, &answered)
    for (pending, result) in telling { pending.complete(result) }
    telling.removeAll(keepingCapacity: true)
  }

  /// Tells every hold of a sweep the SKUs that the script has just named.
  private func nameSKUs(of back: Flight, as named: [Pending]) {
    var skus: [HoldKey: SKU] = [:]
    for pending in named {
      if let hold = pending.operation.hold { skus[hold] = pending.sku }
    }
    for pending in back.pending {
      pending.cameBackUndone()
      pending.sku = pending.sku ?? pending.operation.hold.flatMap { skus[$0] }
    }
  }

  private func putBack(_ back: Flight) {
    busySince = nil
    if let sweep = back.sweep {
      sweep.done(0)  // the next sweep finds the members again
    } else {
      putBack(back.pending)
    }
  }

  private func putBack(_ pending: [Pending]) {
    guard !pending.isEmpty else { return }
    let open = pending.filter { !$0.isAnswered }
    for pending in open {
      pending.waitsAgain()
      earliestDeadline = min(earliestDeadline, pending.deadline)
    }
    queue.putBack(open.map { ($0, $0.source) })
  }

  private func fail(_ back: Flight, _ fault: (Pending) -> StoreFault) {
    busySince = nil
    for pending in back.pending { answered.append((pending, .failure(fault(pending)))) }
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
      if queue.count > 0 || !flights.isEmpty { watchDeadlines() }
    }
  }

  private func checkDeadlines() {
    let now = loop.now
    if earliestDeadline <= now || withdrawn > 0 { endWaiting(now) }
    for out in flights.all { out.end(.deadline(sent: true), dueBy: now) }
  }

  /// Takes out of the queue what nobody waits for any more.
  private func endWaiting(_ now: UInt64) {
    var expired: [Pending] = []
    var earliest = UInt64.max
    queue.keep { pending in
      if pending.isAnswered { return false }
      if pending.deadline <= now {
        expired.append(pending)
        return false
      }
      earliest = min(earliest, pending.deadline)
      return true
    }
    (earliestDeadline, withdrawn) = (earliest, 0)
    for pending in expired { pending.complete(.failure(.deadline(sent: pending.sent))) }
  }
}
