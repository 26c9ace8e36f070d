public import Loop
public import Wire

/// The client's end of one connection: many calls in flight, each completed exactly once.
/// `ClientMachine` decides, this does the I/O.  Lives on the loop's queue.
public final class ClientConnection: ByteChannel.Owner {
  /// How often deadlines and the server's life are looked at, while calls are in flight.
  private static let tickMs: UInt64 = 20
  /// How long the name of a host may be looked up, where nothing else limits it.
  static let lookupMsMax = 5_000
  /// See `ClientMachine.init`.
  public static let keepaliveMsDefault: UInt64 = 10_000

  /// What is kept with a call in flight: what to do with an answer.
  private struct Work {
    let complete: (Result<UnsafeRawBufferPointer, Status>) -> Void
    /// - Returns: whether it could be read.
    let item: ((UnsafeRawBufferPointer) -> Bool)?
  }

  private let channel: ByteChannel
  private let loop: EventLoop
  private let arena = Arena()
  private var message = ByteBuffer()
  private var machine: ClientMachine<Work>
  private var watching = false
  /// Nothing that was sent has happened: the server speaks no version that is spoken here, or has not
  /// taken the connection.
  private var refusal: Status?
  /// Why the server has said that it goes.
  private var noticed: String?

  /// Told once when the server goes away or the connection has ended: new calls belong elsewhere.
  public var ended: () -> Void = {}
  /// Whether calls say until when they are waited for: see `StockClient.Options.sendsDeadlineAt`.
  public var sendsDeadlineAt = false
  /// What the server said of itself; nil until then, and with a server of the first version.
  public private(set) var server: HelloReply?

  /// Begins to connect; calls may be made at once.
  /// - Parameter client: what this client calls itself; nil: say nothing, as the first version did.
  /// - Throws: `SystemError` when the address cannot even be tried.  The name of a host is looked up here,
  ///   for `lookupMsMax` at most; whoever must not wait looks it up before.
  public convenience init(
    to address: Address, client: String? = nil, keepaliveMs: UInt64 = keepaliveMsDefault,
    on loop: EventLoop
  ) throws(SystemError) {
    let fd =
      switch address {
      case .tcp(let host, let port):
        try Socket.connect(
          to: HostLookup.addresses(of: host, port: port, withinMs: Self.lookupMsMax)[0])
      case .unix(let path): try UnixSocket.connect(to: path)
      }
    try self.init(fd: fd, client: client, keepaliveMs: keepaliveMs, on: loop)
  }

  /// Begins to connect to an address that is known.
  convenience init(
    to address: InternetAddress, client: String, keepaliveMs: UInt64, on loop: EventLoop
  ) throws(SystemError) {
    try self.init(
      fd: Socket.connect(to: address), client: client, keepaliveMs: keepaliveMs, on: loop)
  }

  private init(
    fd: Int32, client: String?, keepaliveMs: UInt64, on loop: EventLoop
  ) throws(SystemError) {
    self.loop = loop
    channel = try ByteChannel(fd: fd, connecting: true, on: loop, scratch: ReadScratch())
    machine = ClientMachine(
      keepaliveMs: keepaliveMs, asksVersion: client != nil, now: monotonicNow())
    channel.owner = self
    if let client { greet(client) }
  }

  /// Calls without an answer yet.
  public var inFlight: Int { machine.inFlight }

  /// Why the connection has ended; nil while calls in flight may still be answered.
  public var closedReason: String? {
    if case .closed(let reason) = machine.phase { reason } else { nil }
  }

  /// Whether new calls may be made on it.
  public var takesCalls: Bool { machine.phase == .open || machine.phase == .connecting }

  /// The server has accepted the connection, now or before.
  public var wasConnected: Bool { channel.wasConnected }

  // MARK: calls

  /// Makes a call.
  /// - Parameters:
  ///   - timeoutMs: how long to wait; 0 is not allowed here.
  ///   - completion: called exactly once, on the loop's queue.
  /// - Returns: the id for `cancel`; 0 when the call could not be made.
  @discardableResult
  public func call<Request: RequestMessage>(
    _ request: Request, timeoutMs: UInt32, metadata: Metadata = Metadata(),
    _ completion: @escaping (Result<Request.Reply, Status>) -> Void
  ) -> UInt64 {
    let now = monotonicNow()
    return begin(
      request, timeoutMs: timeoutMs, windowBytes: nil, metadata: metadata,
      deadline: now + UInt64(timeoutMs) * 1_000_000, item: nil
    ) { [arena] result in
      completion(result.flatMap { bytes in decode(bytes, arena) })
    }
  }

  /// Makes a call whose answer is a stream.
  /// - Parameters:
  ///   - windowBytes: what may be under way before `grant`; 0: the server's default.
  ///   - item: called for each item, with its size in the window.
  ///   - end: called exactly once, after the last item; nil: in order.
  /// - Returns: the id for `grant` and `cancel`; 0 when the call could not be made.
  public func stream<Request: StreamRequest>(
    _ request: Request, windowBytes: UInt32, metadata: Metadata = Metadata(),
    item: @escaping (Request.Reply, _ bytes: Int) -> Void, end: @escaping (Status?) -> Void
  ) -> UInt64 {
    begin(
      request, timeoutMs: 0, windowBytes: windowBytes, metadata: metadata, deadline: .max,
      item: { [arena] bytes in
        let decoded: Result<Request.Reply, Status> = decode(bytes, arena)
        guard case .success(let reply) = decoded else { return false }
        item(reply, RPCLimits.windowBytes(of: bytes.count))
        return true
      },
      complete: { result in
        if case .failure(let status) = result { end(status) } else { end(nil) }
      })
  }

  private func begin<Request: RequestMessage>(
    _ request: Request, timeoutMs: UInt32, windowBytes: UInt32?, metadata: Metadata,
    deadline: UInt64, item: ((UnsafeRawBufferPointer) -> Bool)?,
    complete: @escaping (Result<UnsafeRawBufferPointer, Status>) -> Void
  ) -> UInt64 {
    let work = Work(complete: complete, item: item)
    switch machine.start(
      deadline: deadline, windowBytes: windowBytes, now: monotonicNow(), work: work)
    {
    case .refuse(let status):
      complete(.failure(status))
      return 0
    case .send(let id):
      send(
        request, as: id, timeoutMs: timeoutMs, windowBytes: windowBytes ?? 0,
        deadlineAt: deadlineAt(in: timeoutMs), metadata: metadata)
      watch()
      return id
    }
  }

  /// - Parameter timeoutMs: 0 of a stream.
  private func deadlineAt(in timeoutMs: UInt32) -> UInt64 {
    sendsDeadlineAt && timeoutMs > 0 ? wallNow() / 1_000_000 + UInt64(timeoutMs) : 0
  }

  /// Asks the server to stop a call.  It is answered all the same: with CANCELLED, or as if nothing
  /// had been said.  A server of the first version is not asked; before its version is known, the
  /// question waits.
  public func cancel(_ id: UInt64) {
    if machine.cancel(id) { sendCancel(id) }
  }

  private func sendCancel(_ id: UInt64) {
    send(CancelCallRequest(callID: id), as: machine.idForControl())
  }

  /// Lets the server send more of a stream.
  public func grant(_ bytes: Int, to id: UInt64) {
    let bytes = UInt32(clamping: bytes)
    guard machine.granted(bytes, to: id) else { return }
    send(CreditRequest(callID: id, bytes: bytes), as: machine.idForControl())
  }

  /// Closes; calls without an answer end with their outcome unknown.
  public func close() { channel.close("closed by its owner") }

  private func greet(_ client: String) {
    call(HelloRequest(client: client), timeoutMs: 5_000) { [weak self] result in
      guard let self else { return }
      if case .failure(let status) = result, status.reason == Status.protocolUnsupportedReason {
        // What was sent behind the question is refused like it, and has not happened.
        refusal = status.andSpokenHere
        return channel.close("no version of the protocol in common")
      }
      server = try? result.get()
      // A server that does not know the question speaks the first version.
      let version = server?.version ?? ProtocolVersion.first
      for id in machine.agreed(on: version) { sendCancel(id) }
    }
  }

  private func send<Request: RequestMessage>(
    _ request: Request, as id: UInt64, timeoutMs: UInt32 = 0, windowBytes: UInt32 = 0,
    deadlineAt: UInt64 = 0, metadata: Metadata = Metadata()
  ) {
    request.encode(into: &message, arena: arena)
    RequestEnvelope.append(
      callID: id, method: Request.method, timeoutMs: timeoutMs, windowBytes: windowBytes,
      deadlineAt: deadlineAt, metadata: metadata, message: message, to: &channel.output,
      arena: arena)
    message.consume(message.count)
    arena.reset()
    channel.flush()
  }

  // MARK: answers

  func received(_ payload: UnsafeRawBufferPointer) throws(FrameError) {
    machine.connected()
    machine.heard(monotonicNow())
    arena.reset()
    let response = try ResponseEnvelope(payload, arena: arena)
    if response.callID == 0 { return notice(response) }
    let result = response.result
    var item: UnsafeRawBufferPointer?
    if response.isItem, case .success(let bytes) = result { item = bytes }
    let itemBytes = item.map { RPCLimits.windowBytes(of: $0.count) }
    switch machine.responded(to: response.callID, itemBytes: itemBytes) {
    case .complete(let work): work.complete(result)
    case .item(let work):
      if let item, work.item?(item) == false { giveUp(response.callID) }
    case .overrun(let work):
      work.complete(.failure(.windowOverrun))
      return channel.close("the server sent more of a stream than its window")
    case .ignore: break
    }
    closeIfDone()
  }

  /// Ends a stream whose items are not what they should be.
  private func giveUp(_ id: UInt64) {
    cancel(id)
    machine.abandoned(id)?.complete(.failure(.malformedReply))
  }

  private func notice(_ response: ResponseEnvelope) {
    guard case .success(let bytes) = response.result,
      let notice = GoingAway(notice: bytes, arena: arena)
    else { return }
    noticed = "the server said: \(notice.reason)"
    if notice.isRefusal {
      refusal = .unreachable(noticed!)
      return channel.close(noticed)
    }
    machine.goingAway()
    ended()
    ended = {}
    closeIfDone()
  }

  private func closeIfDone() {
    if machine.phase == .goingAway, machine.inFlight == 0 { channel.close("the server went away") }
  }

  func drained() {}

  func heldChanged() {}

  func closed(_ reason: String?) {
    let reason = noticed ?? reason ?? "closed by the server"
    let status =
      refusal ?? (channel.wasConnected ? Status.connectionLost(reason) : .unreachable(reason))
    for work in machine.closed(reason) { work.complete(.failure(status)) }
    ended()
    ended = {}
  }

  private func watch() {
    guard !watching else { return }
    watching = true
    loop.after(ms: Self.tickMs) { [weak self] in
      guard let self else { return }
      watching = false
      if channel.wasConnected { machine.connected() }
      let tick = machine.tick(monotonicNow())
      for id in tick.cancel { sendCancel(id) }
      for work in tick.expired { work.complete(.failure(.noAnswer)) }
      if tick.sendPing { send(PingRequest(), as: machine.idForControl()) }
      if let reason = tick.close { return channel.close(reason) }
      if machine.inFlight > 0 { watch() }
      closeIfDone()
    }
  }
}

extension Status {
  static let protocolUnsupportedReason = "PROTOCOL_UNSUPPORTED"

  /// What the server has said of its versions, and ours.
  fileprivate var andSpokenHere: Status {
    var status = self
    let (first, last) = (ProtocolVersion.first, ProtocolVersion.current)
    status.message += " Spoken here are \(first) to \(last)."
    status.field = ""
    return status
  }
}

private func decode<Reply: ReplyMessage>(
  _ bytes: UnsafeRawBufferPointer, _ arena: Arena
) -> Result<Reply, Status> {
  do {
    return .success(try Reply(bytes, arena: arena))
  } catch {
    return .failure(.malformedReply)
  }
}
