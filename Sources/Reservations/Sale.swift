import HotPath
import Introspection
import Inventory
import Logging
import Loop
import RPC
import Wire

/// What the handlers of one shard share.  There is one handler in each file beside this one; all do
/// the same: decode and check, hand the operation to the batch, answer with what the script said.
///
/// Lives on the loop's queue.
final class Sale {
  let store: Store
  let batch: Batch
  let feed: Feed
  let board: StockBoard
  let acknowledging: Acknowledging
  let decoder: OperationDecoder
  let logger: Logger

  init(
    store: Store, batch: Batch, feed: Feed, board: StockBoard, acknowledging: Acknowledging,
    decoder: OperationDecoder, logger: Logger
  ) {
    self.store = store
    self.batch = batch
    self.feed = feed
    self.board = board
    self.acknowledging = acknowledging
    self.decoder = decoder
    self.logger = logger
  }

  /// Every method of the sale.
  func makeMethods() -> MethodTable {
    var table = MethodTable()
    func on(_ name: String, _ handler: @escaping MethodTable.Handler) {
      table.on(name) { (call) throws(Status) in
        try self.admit(call)
        try handler(call)
      }
    }
    func onStream(_ name: String, _ handler: @escaping MethodTable.StreamHandler) {
      table.onStream(name) { (call, stream) throws(Status) in
        try self.admit(call)
        try handler(call, stream)
      }
    }
    on(ReserveRequest.method) { (call) throws(Status) in try self.reserve(call) }
    on(BatchReserveRequest.method) { (call) throws(Status) in try self.batchReserve(call) }
    on(ConfirmRequest.method) { (call) throws(Status) in try self.confirm(call) }
    on(CancelRequest.method) { (call) throws(Status) in try self.cancel(call) }
    on(ExtendRequest.method) { (call) throws(Status) in try self.extend(call) }
    on(ReleaseRequest.method) { (call) throws(Status) in try self.release(call) }
    on(GetHoldRequest.method) { (call) throws(Status) in try self.getHold(call) }
    on(SetStockRequest.method) { (call) throws(Status) in try self.setStock(call) }
    on(AdjustStockRequest.method) { (call) throws(Status) in try self.adjustStock(call) }
    on(RetireStockRequest.method) { (call) throws(Status) in try self.retireStock(call) }
    on(ListStockRequest.method) { (call) throws(Status) in try self.listStock(call) }
    on(GetStockRequest.method) { (call) throws(Status) in try self.getStock(call) }
    on(AdoptStockRequest.method) { (call) throws(Status) in try self.adoptStock(call) }
    onStream(WatchStockRequest.method) { (call, stream) throws(Status) in
      try self.watchStock(call, stream)
    }
    onStream(FollowRequest.method) { (call, stream) throws(Status) in
      try self.followEvents(call, stream)
    }
    return table
  }

  /// What begins a hold.
  private static let beginning: Set = [ReserveRequest.method, BatchReserveRequest.method]

  /// Whether this shard is ready for calls of one method: what is promised can be finished while nothing
  /// new can begin.
  func readiness(of method: String) -> HealthCheckReply {
    let whole = readiness
    guard whole.status != .notServing, Self.beginning.contains(method),
      let refusal = store.placing.refusal
    else { return whole }
    return HealthCheckReply(notServing: [refusal])
  }

  /// Whether this shard is ready to sell, and what is weaker than promised.
  var readiness: HealthCheckReply {
    if let reason = store.downReason ?? acknowledging.refusal {
      return HealthCheckReply(notServing: [reason])
    }
    return HealthCheckReply(warnings: store.warnings)
  }

  /// Refuses a call that would wait for too long, or for a person, before anything else is done for it.
  /// A stream is work for as long as it is open: while calls are refused, no more of them begin.
  private func admit(_ call: Call) throws(Status) {
    switch store.absence {
    case .lost: throw .fenced(outcomeUnknown: false)
    case .refusing: throw Status(.refused(sent: false), absence: .refusing)
    case .notOpened, .unreachable, nil: break
    }
    if let fault = batch.refusal(deadline: call.deadline, source: call.source) {
      throw Status(fault, absence: store.absence)
    }
  }

  /// Hands an operation to the batch, and answers with a reply made of what came back.
  func run<Reply: ReplyMessage>(
    _ operation: Operation, for call: Call, _ reply: @escaping (Answer) throws(Status) -> Reply
  ) {
    let ticket = batch.submit(operation, deadline: call.deadline, source: call.source) {
      [store] result in
      do throws(Status) {
        switch result {
        case .success(let answer): call.reply(try reply(answer))
        case .failure(let fault): throw Status(fault, absence: store.absence)
        }
      } catch {
        call.fail(error)
      }
    }
    call.whenCancelled { [batch] in batch.withdraw(ticket) }
  }

  /// The same for a change that is acknowledged at a level.
  /// - Parameter reply: is given what the caller is to be told was reached.
  func change<Reply: ReplyMessage>(
    _ asked: Asked<Operation>, for call: Call,
    _ reply: @escaping (Answer, Acknowledgement?) throws(Status) -> Reply
  ) throws(Status) {
    let promise = try acknowledging.promise(asked.level)
    let ticket = batch.submit(asked.value, deadline: call.deadline, source: call.source) {
      [store, acknowledging] result in
      func send(_ answer: Answer, _ reached: Acknowledgement?) {
        do throws(Status) {
          call.reply(try reply(answer, reached))
        } catch {
          call.fail(error)
        }
      }
      switch result {
      case .failure(let fault): call.fail(Status(fault, absence: store.absence))
      case .success(let answer) where acknowledging.isKept(promise): send(answer, nil)
      case .success(let answer):
        acknowledging.keep(promise, of: answer, by: call.deadline) { send(answer, $0) }
      }
    }
    call.whenCancelled { [batch] in batch.withdraw(ticket) }
  }

  /// The reply of the operations on one hold.
  /// - Parameter reached: of those that change it.
  func holdReply(
    _ answer: Answer, _ reached: Acknowledgement? = nil
  ) throws(Status) -> HoldReply {
    if let refusal = Status(refusal: answer) { throw refusal }
    if let ended = answer.ended {
      let order = ended.status == .confirmed ? decoder.order(of: ended.id) : ""
      return HoldReply(
        outcome: answer.outcome, hold: HoldView(ended, orderID: order), acknowledged: reached)
    }
    let view = answer.hold.map { hold in
      // EXPIRED by the clock, though no sweep may have seen it yet.
      let status = hold.status(at: answer.now)
      return HoldView(
        hold, status: status, orderID: status == .confirmed ? decoder.order(of: hold.id) : "")
    }
    return HoldReply(outcome: answer.outcome, hold: view, acknowledged: reached)
  }

  /// The reply of the operations on the stock of one SKU.
  func stockReply(_ answer: Answer, _ sku: SKU) throws(Status) -> StockReply {
    if answer.outcome == .stockMismatch {
      logger.error(
        "stock mismatch: the SKU is closed",
        metadata: ["sku": "\(sku)", "found": "\(answer.shown ?? "")"])
    }
    if let refusal = Status(refusal: answer, sku: sku) { throw refusal }
    return StockReply(
      outcome: answer.outcome,
      stock: answer.figures.map { StockLevel(sku: sku.text, figures: $0) })
  }
}

extension Call {
  /// Where the call stands in its caller's trace; nil: it sent none, or not a valid one.
  var trace: TraceContext? {
    guard var text = metadata[Metadata.traceParentKey] else { return nil }
    return text.withUTF8 { TraceContext(traceparent: UnsafeRawBufferPointer($0)) }
  }
}
