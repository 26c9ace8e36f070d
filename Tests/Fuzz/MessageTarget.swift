import Inventory
@testable import Wire

/// What is decoded somewhere.  The number stands in the first byte of an input: add at the end.
enum Message: UInt8, CaseIterable {
  // What the server decodes.
  case request, hello, cancelCall, credit, state, healthCheck
  case reserve, confirm, cancel, getHold, setStock, getStock, adoptStock, batchReserve
  case follow, watchStock
  // What the client decodes.
  case response, helloReply, cancelCallReply, reserveReply, holdReply, stockReply, stockUpdate
  case followItem, batchReserveReply, healthCheckReply, stateReply, describeReply, notice
  // What the worker decodes, and the server in its records.
  case event, record
  // Texts with a form of their own.
  case holdID, traceParent, trace, digest
  // What came later, of either side.
  case adjustStock, retireStock, listStock, extend, release, listStockReply
}

/// Decodes the rest of an input as the message that its first byte names.  What could be decoded must
/// be the same after it was encoded.
func fuzzMessages(_ input: UnsafeRawBufferPointer) {
  var choices = Choices(input)
  guard let message = Message(rawValue: choices.byte()) else { return }
  // Each allocation is memory of its own, so that writing beyond it is noticed.
  let arena = Arena(blockBytes: 0)
  switch message {
  case .request, .hello, .cancelCall, .credit, .state, .healthCheck, .reserve, .confirm, .cancel,
    .getHold, .setStock, .getStock, .adoptStock, .batchReserve, .follow, .watchStock, .adjustStock,
    .retireStock, .listStock, .extend, .release:
    decodeRequest(message, choices.rest(), arena)
  case .event, .record: decodeEvent(message, &choices, arena)
  case .holdID, .traceParent, .trace, .digest: decodeText(message, choices.rest())
  default: decodeReply(message, choices.rest(), arena)
  }
}

private func decodeRequest(_ message: Message, _ bytes: UnsafeRawBufferPointer, _ arena: Arena) {
  let decoder = OperationDecoder()
  switch message {
  case .request: again(bytes, arena)
  case .hello:
    if let hello = try? HelloRequest(bytes, arena: arena) {
      promise(hello.client.utf8.count <= HelloRequest.clientBytesMax, "a long name for the log")
    }
  case .cancelCall: _ = try? CancelCallRequest(bytes, arena: arena)
  case .credit: _ = try? CreditRequest(bytes, arena: arena)
  case .state:
    if let state = try? StateRequest(bytes, arena: arena) {
      promise((1...StateRequest.connectionsMax).contains(state.connectionsMax), "too many")
    }
  case .healthCheck: _ = try? HealthCheckRequest(bytes, arena: arena)
  case .reserve:
    if let found = try? decoder.reserve(bytes, arena: arena) { recorded(found.value, arena) }
  case .confirm: _ = try? decoder.confirm(bytes, arena: arena)
  case .cancel: _ = try? decoder.cancel(bytes, arena: arena)
  case .getHold: _ = try? decoder.getHold(bytes, arena: arena)
  case .setStock: ordered(try? decoder.setStock(bytes, arena: arena), .stockSet, arena)
  case .adjustStock: ordered(try? decoder.adjustStock(bytes, arena: arena), .stockAdjusted, arena)
  case .retireStock: ordered(try? decoder.retireStock(bytes, arena: arena), .stockRetired, arena)
  case .listStock:
    if let found = try? decoder.listStock(bytes, arena: arena) {
      promise((1...Limits.stockPageMax).contains(found.limit), "too many SKUs")
    }
  case .extend: _ = try? decoder.extend(bytes, arena: arena)
  case .release: _ = try? decoder.release(bytes, arena: arena)
  case .getStock: _ = try? decoder.getStock(bytes, arena: arena)
  case .adoptStock: _ = try? decoder.adoptStock(bytes, arena: arena)
  case .batchReserve:
    for case .success(let found) in (try? decoder.batchReserve(bytes))?.value ?? [] {
      recorded(found, arena)
    }
  case .follow:
    if let found = try? decoder.follow(bytes, arena: arena) {
      promise(found.skus.count <= FollowRequest.skusMax, "too many SKUs")
    }
  case .watchStock:
    if let found = try? decoder.watchStock(bytes, arena: arena) {
      promise((1...WatchStockRequest.skusMax).contains(found.skus.count), "too many SKUs")
    }
  default: fatalError("\(message) is no request")
  }
}

private func decodeReply(_ message: Message, _ bytes: UnsafeRawBufferPointer, _ arena: Arena) {
  switch message {
  case .response: responseAgain(bytes, arena)
  case .helloReply: again(HelloReply.self, bytes, arena)
  case .cancelCallReply: again(CancelCallReply.self, bytes, arena)
  case .reserveReply: again(ReserveReply.self, bytes, arena)
  case .holdReply: again(HoldReply.self, bytes, arena)
  case .stockReply: again(StockReply.self, bytes, arena)
  case .stockUpdate: again(StockUpdate.self, bytes, arena)
  case .listStockReply: again(ListStockReply.self, bytes, arena)
  case .followItem: _ = try? FollowItem(bytes, arena: arena)
  case .batchReserveReply: _ = try? BatchReserveReply(bytes, arena: arena)
  case .healthCheckReply: again(HealthCheckReply.self, bytes, arena)
  case .stateReply: again(StateReply.self, bytes, arena)
  case .describeReply:
    guard let found = try? DescribeReply(bytes, arena: arena) else { return }
    _ = found.descriptors.withUnsafeBytes { DescribedMethod.all(in: $0) }
  case .notice: _ = GoingAway(notice: bytes, arena: arena)
  default: fatalError("\(message) is no reply")
  }
}

private func again<Reply: ReplyMessage & Equatable>(
  _: Reply.Type, _ bytes: UnsafeRawBufferPointer, _ arena: Arena
) {
  guard let first = try? Reply(bytes, arena: arena) else { return }
  var buffer = ByteBuffer()
  first.encode(into: &buffer, arena: arena)
  promise((try? Reply(buffer.readable, arena: arena)) == first, "\(first) is another when encoded")
}

private func again(_ bytes: UnsafeRawBufferPointer, _ arena: Arena) {
  guard let first = try? RequestEnvelope(bytes, arena: arena) else { return }
  var message = ByteBuffer()
  var wire = ByteBuffer()
  message.append(first.message)
  let method = String(decoding: first.method, as: UTF8.self)
  RequestEnvelope.append(
    callID: first.callID, method: method, timeoutMs: first.timeoutMs,
    windowBytes: first.windowBytes, deadlineAt: first.deadlineAt, metadata: first.metadata,
    message: message, to: &wire, arena: arena)
  guard let payload = try? Frame.next(in: wire.readable),
    let second = try? RequestEnvelope(payload, arena: arena)
  else { fatalError("an envelope that the server would refuse") }
  promise(
    second.callID == first.callID && second.timeoutMs == first.timeoutMs
      && second.windowBytes == first.windowBytes && second.deadlineAt == first.deadlineAt
      && second.metadata == first.metadata
      && second.message.elementsEqual(first.message) && second.method.elementsEqual(method.utf8),
    "another call when encoded")
}

private func responseAgain(_ bytes: UnsafeRawBufferPointer, _ arena: Arena) {
  guard let first = try? ResponseEnvelope(bytes, arena: arena) else { return }
  var message = ByteBuffer()
  var wire = ByteBuffer()
  switch first.result {
  case .success(let bytes):
    message.append(bytes)
    ResponseEnvelope.append(
      callID: first.callID, message: message, isItem: first.isItem, metadata: first.metadata,
      to: &wire, arena: arena)
  case .failure(let status):
    ResponseEnvelope.append(
      callID: first.callID, status: status, metadata: first.metadata, to: &wire, arena: arena)
  }
  guard let payload = try? Frame.next(in: wire.readable),
    let second = try? ResponseEnvelope(payload, arena: arena)
  else { fatalError("an envelope that the client would refuse") }
  promise(
    second.callID == first.callID && second.metadata == first.metadata, "another answer")
  switch (first.result, second.result) {
  case (.success(let one), .success(let other)):
    promise(one.elementsEqual(other) && first.isItem == second.isItem, "another message")
  case (.failure(let one), .failure(let other)): promise(one == other, "another failure")
  default: fatalError("a success became a failure, or the other way round")
  }
}

/// What a reserve writes down for its hold must be read again as that hold.
private func recorded(_ found: Reservation, _ arena: Arena) {
  var buffer = ByteBuffer()
  found.appendEvent(to: &buffer)
  let hold = try? Hold(
    record: buffer.readable, status: .active, version: 1, createdAt: 1, expiresAt: 2, changedAt: 1,
    paymentRef: nil, arena: arena)
  promise(
    hold?.id.key == found.hold && hold?.sku == found.sku && hold?.qty == found.qty
      && hold?.user == found.user && hold?.key == found.key, "another hold is written down")
}

/// What an order writes down must be read again as that order's event.
private func ordered(_ found: StockOrder?, _ type: EventType, _ arena: Arena) {
  guard let found else { return }
  var buffer = ByteBuffer()
  found.appendEvent(to: &buffer, arena: arena)
  let figures = Figures(available: 1, held: 2, sold: 3, supplied: 6, version: 4)
  let made = StockChange(
    sku: found.sku, requestID: found.requestID, changedAt: 5, figures: figures, delta: -1,
    attribution: found.attribution)
  let whole = Array(buffer.readable) + EventBytes.secondPart(of: made)
  let read = whole.withUnsafeBytes { try? Event(type: type.rawValue, $0, arena: arena) }
  promise(read == .stock(type, made), "another order is written down")
}

private func decodeEvent(_ message: Message, _ choices: inout Choices, _ arena: Arena) {
  guard message == .event else {
    _ = try? Hold(
      record: choices.rest(), status: .confirmed, version: 1, createdAt: 1, expiresAt: 2,
      changedAt: 1, paymentRef: nil, arena: arena)
    return
  }
  let types = EventType.allCases
  let number = choices.below(types.count + 1)
  let (name, bytes) = (number < types.count ? types[number].rawValue : "TYPE", choices.rest())
  let event = try? Event(type: name, bytes, arena: arena)
  promise(event == nil || number < types.count, "an event of a type that nobody knows")
  // A follower gets it as it stands, whether or not it could be read.
  let item = FollowItem(token: "t", type: name, bytes, arena: arena)
  promise(item.event == event, "another event")
  var buffer = ByteBuffer()
  item.encode(bytes, into: &buffer, arena: arena)
  let read = try? FollowItem(buffer.readable, arena: arena)
  promise(read?.event == event, "a follower reads another event")
  promise(event != nil || read?.unread.elementsEqual(bytes) != false, "what cannot be read is lost")
}

private func decodeText(_ message: Message, _ bytes: UnsafeRawBufferPointer) {
  let text = String(decoding: bytes, as: UTF8.self)
  switch message {
  case .holdID:
    guard let id = HoldID(text) else { return }
    promise(HoldID(id.description) == id, "another hold")
  case .traceParent:
    guard let trace = TraceContext(traceparent: bytes) else { return }
    var again = trace.traceparent
    promise(
      again.withUTF8 { TraceContext(traceparent: UnsafeRawBufferPointer($0)) } == trace,
      "another trace")
  case .trace:
    guard let trace = TraceContext(binary: bytes) else { return }
    promise(trace.binary.withUnsafeBytes { TraceContext(binary: $0) } == trace, "another trace")
  case .digest:
    guard let digest = StockDigest(text) else { return }
    promise(StockDigest(digest.description) == digest, "another digest")
  default: fatalError("\(message) is no text")
  }
}
