import Loop
import Wire

/// The server's end of one connection: frames in, calls out to their handlers, replies back in the
/// order in which they come.  `ServerMachine` decides, this does the I/O.  Lives on the loop's queue.
final class Connection: ByteChannel.Owner {
  let number: UInt64
  let peer: Peer
  private let channel: ByteChannel
  /// Strong both ways: the server forgets a connection that has closed.
  private let server: Server
  private var machine: ServerMachine<CallRecord>
  private var sentAtLastTick: UInt64 = 0
  private var callsMade: UInt64 = 0
  private var lastMethod: MethodTable.Entry?
  /// What `HeldBytes` has been told.
  private var heldBytesTold = 0
  /// Streams that have credit, in the order in which they have their turn.
  private var waitingForSocket: [UInt64] = []
  /// What the peer calls itself; empty until it says.
  private(set) var client = ""
  /// Why no calls are taken: the peer speaks no version that is spoken here.
  private var refusal: Status?

  init(_ channel: ByteChannel, from peer: Peer, number: UInt64, server: Server) {
    self.channel = channel
    self.peer = peer
    self.number = number
    self.server = server
    machine = ServerMachine(
      terms: .init(idleMs: server.terms.idleMs, ageMs: server.terms.ageMs), now: server.loop.now)
    channel.owner = self
  }

  // MARK: in

  /// Memory for decoding the request that is being received.
  var requestArena: Arena { server.requestArena }

  func received(_ payload: UnsafeRawBufferPointer) throws(FrameError) {
    let arena = requestArena
    arena.reset()
    let request = try RequestEnvelope(payload, arena: arena)
    let now = server.loop.now
    machine.heard(now)

    guard request.metadataCount <= Metadata.entriesMax else {
      return answer(request.callID, failure: .tooMuchMetadata)
    }
    // Routing.  `CallChain` says what each step is for.
    guard let method = method(named: request.method) else {
      if try !control(request) { answer(request.callID, failure: .unknownMethod) }
      return
    }
    if let refusal { return answer(request.callID, failure: refusal) }
    let metadata = request.metadataCount == 0 ? Metadata() : request.metadata
    callsMade += 1
    let stream = method.isStream ? ResponseStream(request.callID, on: self) : nil
    let record = CallRecord(
      beganAt: now, metadata: metadata, peer: peer, entry: method, stream: stream)
    // Deadline.
    let deadline = deadline(of: request, method)
    // Limits.
    switch machine.arrived(
      request.callID, requestBytes: payload.count,
      windowBytes: stream == nil ? nil : request.windowBytes,
      work: record)
    {
    case .dispatch: break
    case .refuse(let status):
      observe(record, status)
      return answer(request.callID, failure: status, metadata: record.replyMetadata)
    case .close(let reason): return channel.close(reason)
    case .ignore: return
    }
    let call = Call(
      message: request.message, deadline: deadline, id: request.callID, connection: self,
      record: record)
    do throws(Status) {
      // What has waited unread for too long is not begun.
      guard deadline > now else {
        throw deadline == CallDeadline.passedUnread ? .deadlinePassedUnread : .deadlinePassed
      }
      // Identity.
      if let refusal = server.chain.identity?(peer, method.name, metadata) { throw refusal }
      // The handler; observers come on the way back, in `reply` and `fail`.
      switch method.kind {
      case .unary(let handler): try handler(call)
      case .stream(let handler): try begin(call, stream!, handler)
      }
    } catch {
      if let stream { stream.fail(error) } else { call.fail(error) }
    }
  }

  /// Most callers make one kind of call.
  private func method(named name: UnsafeRawBufferPointer) -> MethodTable.Entry? {
    if let lastMethod, lastMethod.isNamed(name) { return lastMethod }
    lastMethod = server.methods.entry(for: name)
    return lastMethod
  }

  private func deadline(of request: RequestEnvelope, _ method: MethodTable.Entry) -> UInt64 {
    let deadline = CallDeadline.after(
      request.timeoutMs, isStream: method.isStream, since: channel.waitedSince)
    guard request.deadlineAt > 0 else { return deadline }
    return min(
      deadline, CallDeadline.at(request.deadlineAt, now: monotonicNow(), wall: wallNow()))
  }

  private func begin(
    _ call: Call, _ stream: ResponseStream, _ handler: MethodTable.StreamHandler
  ) throws(Status) {
    try handler(call, stream)
    guard call.deadline < .max, !stream.hasEnded else { return }
    stream.deadlineTimer = server.loop.at(call.deadline) { [weak stream] in
      stream?.cancel(.deadlinePassed)
    }
  }

  /// The calls about the connection itself.
  /// - Returns: false for a method that is none of them.
  private func control(_ request: RequestEnvelope) throws(FrameError) -> Bool {
    let (id, arena) = (request.callID, requestArena)
    do throws(Status) {
      switch ControlMethod(request.method) {
      case .hello:
        let hello = try HelloRequest(request.message, arena: arena)
        answer(id, try greeting(hello))
      case .ping: answer(id, EmptyReply())
      case .cancel:
        let cancel = try CancelCallRequest(request.message, arena: arena)
        answer(id, CancelCallReply(found: self.cancel(cancel.callID)))
      case .credit:
        let credit = try CreditRequest(request.message, arena: arena)
        answer(id, EmptyReply())
        if machine.granted(credit.bytes, to: credit.callID) {
          machine.work(of: credit.callID)?.stream?.roomAgain()
        }
      case nil: return false
      }
    } catch {
      answer(id, failure: error)
    }
    return true
  }

  private func greeting(_ hello: HelloRequest) throws(Status) -> HelloReply {
    let version = min(hello.versions.upperBound, ProtocolVersion.current)
    guard version >= max(hello.versions.lowerBound, ProtocolVersion.first) else {
      let refused = Status(
        .failedPrecondition, reason: Status.protocolUnsupportedReason,
        message: "\(server.terms.name.isEmpty ? "This server" : server.terms.name) speaks versions "
          + "\(ProtocolVersion.first) to \(ProtocolVersion.current) of the protocol.",
        field: "protocol_min")
      refusal = refused
      throw refused
    }
    refusal = nil
    client = hello.client
    return HelloReply(version: version, server: server.terms.name, limits: server.terms.limits)
  }

  private func cancel(_ id: UInt64) -> Bool {
    guard let record = machine.work(of: id) else { return false }
    if let stream = record.stream {
      stream.cancel(.cancelled)
    } else {
      record.stop.take()?()
    }
    return true
  }

  // MARK: out

  func reply(to id: UInt64, _ message: some ReplyMessage) {
    let record = machine.answered(id)
    observe(record, nil)
    answer(id, message, metadata: record.replyMetadata)
  }

  func fail(_ id: UInt64, _ status: Status) {
    let record = machine.answered(id)
    observe(record, status)
    answer(id, failure: status, metadata: record.replyMetadata)
  }

  private func observe(_ record: CallRecord, _ status: Status?) {
    guard !server.chain.observers.isEmpty else { return }
    let now = monotonicNow()
    for observer in server.chain.observers { observer.ended(record, status, now: now) }
  }

  /// Whether a stream may send; one that has credit has its turn when the socket has taken enough.
  func hasRoom(_ id: UInt64) -> Bool {
    guard machine.hasCredit(id) else { return false }
    if hasRoomForStreams { return true }
    if !waitingForSocket.contains(id) { waitingForSocket.append(id) }
    return false
  }

  private var hasRoomForStreams: Bool {
    channel.output.count < RPCLimits.streamBacklogBytesMax
  }

  func ended(_ stream: ResponseStream, _ id: UInt64) {
    waitingForSocket.removeAll { $0 == id }
    if let timer = stream.deadlineTimer { server.loop.cancel(timer: timer) }
  }

  func sendItem(_ item: some ReplyMessage, on id: UInt64) {
    guard !channel.isClosed else { return }
    let bytes = write(id, item, isItem: true, metadata: Metadata())
    machine.sentItem(of: RPCLimits.windowBytes(of: bytes), on: id)
    sent()
  }

  private func answer(
    _ id: UInt64, _ message: some ReplyMessage, metadata: Metadata = Metadata()
  ) {
    guard !channel.isClosed else { return }
    write(id, message, isItem: false, metadata: metadata)
    sent()
  }

  /// - Returns: bytes of the message.
  @discardableResult
  private func write(
    _ id: UInt64, _ message: some ReplyMessage, isItem: Bool, metadata: Metadata
  ) -> Int {
    let arena = server.replyArena
    message.encode(into: &server.replyMessage, arena: arena)
    ResponseEnvelope.append(
      callID: id, message: server.replyMessage, isItem: isItem, metadata: metadata,
      to: &channel.output, arena: arena)
    arena.reset()
    let bytes = server.replyMessage.count
    server.replyMessage.consume(bytes)
    return bytes
  }

  private func answer(_ id: UInt64, failure: Status, metadata: Metadata = Metadata()) {
    guard !channel.isClosed else { return }
    ResponseEnvelope.append(
      callID: id, status: failure, metadata: metadata, to: &channel.output,
      arena: server.replyArena)
    server.replyArena.reset()
    sent()
  }

  private func sent() {
    if channel.output.count > RPCLimits.unreadReplyBytesMax {
      return channel.close(
        "the peer does not read: \(channel.output.count) bytes of replies are waiting")
    }
    channel.flush()
  }

  /// Bytes that are kept for the peer.
  var heldBytes: Int { channel.heldBytes + machine.requestBytes }

  func heldChanged() {
    guard !channel.isClosed else { return }
    let bytes = heldBytes
    server.held.changed(by: bytes - heldBytesTold)
    heldBytesTold = bytes
  }

  func drained() {
    while !waitingForSocket.isEmpty, hasRoomForStreams {
      machine.work(of: waitingForSocket.removeFirst())?.stream?.roomAgain()
    }
  }

  /// What `Diagnostics/State` says of it.
  var state: ConnectionState {
    var state = ConnectionState()
    (state.number, state.peer, state.client) = (number, "\(peer)", client)
    state.ageMs = (monotonicNow() - machine.openedAt) / 1_000_000
    (state.callsInFlight, state.streams) = (UInt64(machine.inFlight), UInt64(machine.streamCount))
    (state.callsMade, state.bytesIn) = (callsMade, channel.receivedBytes)
    (state.bytesOut, state.heldBytes) = (channel.sentBytes, UInt64(heldBytes))
    return state
  }

  /// Calls without an answer.
  var callsInFlight: Int { machine.inFlight }

  // MARK: the end

  /// Tells the peer, answers what is in flight, refuses what comes; the ticks do the rest.
  func goAway(_ reason: String) {
    guard machine.goAway(server.loop.now), !channel.isClosed else { return }
    server.logger.debug(
      "connection going away", metadata: ["reason": "\(reason)", "peer": "\(peer)"])
    let notice = GoingAway(
      reason: reason, closeAfterMs: UInt32(RPCLimits.goingAwayMsMax))
    notice.encode(into: &server.replyMessage, arena: server.replyArena)
    ResponseEnvelope.append(
      callID: 0, message: server.replyMessage, to: &channel.output, arena: server.replyArena)
    server.replyMessage.consume(server.replyMessage.count)
    server.replyArena.reset()
    for work in machine.allWork { work.stream?.cancel(.shuttingDown) }
    channel.flush()
  }

  func tick(_ now: UInt64) {
    if channel.sentBytes == sentAtLastTick { channel.becameQuiet() }
    sentAtLastTick = channel.sentBytes
    switch machine.tick(
      now, partial: channel.hasPartialFrame, unread: channel.isBlocked, sent: channel.sentBytes)
    {
    case .nothing: break
    case .goAway(let reason): goAway(reason)
    case .finish: channel.finish()
    case .close(let reason): channel.close(reason)
    }
  }

  func close() { channel.close(nil) }

  /// Closes at once, since memory is needed.  A peer that has read everything is told.
  func close(holding bytes: Int) {
    if channel.output.isEmpty { goAway("the server needs memory") }
    channel.close("it held \(bytes) bytes when the memory for connections was used up")
  }

  func closed(_ reason: String?) {
    machine.closed()
    // Nobody waits any more: what has not been sent to Redis need not be.
    for work in machine.allWork {
      if let stream = work.stream { stream.cancel(.cancelled) } else { work.stop?() }
    }
    server.held.changed(by: -heldBytesTold)
    heldBytesTold = 0
    server.closed(self, reason)
  }
}

/// The methods of `stock.v1.Connection`.
private enum ControlMethod: CaseIterable {
  case hello
  case ping
  case cancel
  case credit

  private var name: String {
    switch self {
    case .hello: HelloRequest.method
    case .ping: PingRequest.method
    case .cancel: CancelCallRequest.method
    case .credit: CreditRequest.method
    }
  }

  init?(_ bytes: UnsafeRawBufferPointer) {
    guard let found = Self.allCases.first(where: { $0.name.utf8.elementsEqual(bytes) }) else {
      return nil
    }
    self = found
  }
}

extension CallRecord {
  /// What the caller finds again in the answer.
  fileprivate var replyMetadata: Metadata {
    guard !metadata.entries.isEmpty, let id = metadata[Metadata.requestIDKey],
      id.utf8.count <= Metadata.requestIDBytesMax
    else { return Metadata() }
    return [Metadata.requestIDKey: id]
  }
}

extension Status {
  fileprivate static let tooMuchMetadata = Status.invalid(
    "metadata", "at most \(Metadata.entriesMax) headers")

  fileprivate static let unknownMethod = Status(
    .unimplemented, reason: "UNKNOWN_METHOD",
    message: "This server has no such method; WIRE.md lists those that exist.")
}
