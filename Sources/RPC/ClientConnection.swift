public import Loop
public import Wire

/// The client's end of one connection: many calls in flight, each completed exactly once.
/// Lives on the loop's queue.
public final class ClientConnection: ByteChannel.Owner {
  /// How often the deadlines of calls are looked at.
  private static let deadlineCheckMs: UInt64 = 20
  /// The server answers at the deadline; only when it does not is the call given up here.
  private static let graceMs: UInt64 = 250

  private struct Pending {
    let deadline: UInt64
    let complete: (Result<UnsafeRawBufferPointer, Status>) -> Void
  }

  private let channel: ByteChannel
  private let loop: EventLoop
  private let arena = Arena()
  private var message = ByteBuffer()
  private var pending: [UInt64: Pending] = [:]
  private var lastCallID: UInt64 = 0
  private var watching = false

  /// Why the connection has ended; nil while it can be used.
  public private(set) var closedReason: String?

  /// Begins to connect; calls may be made at once.
  /// - Throws: `SystemError` when the address cannot even be tried.
  public init(to address: Address, on loop: EventLoop) throws(SystemError) {
    self.loop = loop
    channel = try ByteChannel(
      fd: try Socket.connect(to: address), connecting: true, on: loop, scratch: ReadScratch())
    channel.owner = self
  }

  /// Calls without an answer yet.
  public var inFlight: Int { pending.count }

  /// Makes a call.
  /// - Parameters:
  ///   - timeoutMs: how long to wait; 0 is not allowed here.
  ///   - completion: called exactly once, on the loop's queue.
  public func call<Request: RequestMessage>(
    _ request: Request, timeoutMs: UInt32,
    _ completion: @escaping (Result<Request.Reply, Status>) -> Void
  ) {
    if let closedReason { return completion(.failure(.unreachable(closedReason))) }
    lastCallID += 1
    request.encode(into: &message, arena: arena)
    RequestEnvelope.append(
      callID: lastCallID, method: Request.method, timeoutMs: timeoutMs, message: message,
      to: &channel.output, arena: arena)
    message.consume(message.count)
    arena.reset()
    let deadline = monotonicNow() + (UInt64(timeoutMs) + Self.graceMs) * 1_000_000
    pending[lastCallID] = Pending(deadline: deadline) { [arena] result in
      completion(result.flatMap { bytes in decode(bytes, arena) })
    }
    channel.flush()
    watchDeadlines()
  }

  /// Closes; calls without an answer end with their outcome unknown.
  public func close() { channel.close("closed by its owner") }

  func received(_ payload: UnsafeRawBufferPointer) throws(FrameError) {
    arena.reset()
    let response = try ResponseEnvelope(payload, arena: arena)
    // An id that nobody waits for is a call that was given up, or a notice of a newer server.
    pending.removeValue(forKey: response.callID)?.complete(response.result)
  }

  func closed(_ reason: String?) {
    closedReason = reason ?? "closed by the server"
    let open = pending
    pending.removeAll()
    let status =
      channel.wasConnected ? Status.connectionLost(closedReason!) : .unreachable(closedReason!)
    for call in open.values { call.complete(.failure(status)) }
  }

  private func watchDeadlines() {
    guard !watching else { return }
    watching = true
    loop.after(ms: Self.deadlineCheckMs) { [weak self] in
      guard let self else { return }
      watching = false
      let now = monotonicNow()
      for (id, call) in pending where call.deadline <= now {
        pending[id] = nil
        call.complete(.failure(.noAnswer))
      }
      if !pending.isEmpty { watchDeadlines() }
    }
  }
}

private func decode<Reply: ReplyMessage>(
  _ bytes: UnsafeRawBufferPointer, _ arena: Arena
) -> Result<Reply, Status> {
  do {
    return .success(try Reply(bytes, arena: arena))
  } catch {
    return .failure(
      Status(
        .internal, reason: "MALFORMED_REPLY", message: "The reply is not the method's message.",
        outcomeUnknown: true))
  }
}

extension Status {
  /// Nobody listens: the call did not happen.
  static func unreachable(_ reason: String) -> Status {
    Status(
      .unavailable, reason: "UNREACHABLE", message: "The server cannot be reached: \(reason).",
      retryable: true)
  }

  /// The connection died before the answer.
  static func connectionLost(_ reason: String) -> Status {
    Status(
      .unavailable, reason: "CONNECTION_LOST", message: "The connection was lost: \(reason).",
      retryable: true, outcomeUnknown: true)
  }

  /// The server did not even say that the deadline had passed.
  static let noAnswer = Status(
    .deadlineExceeded, reason: "NO_ANSWER", message: "The server did not answer in time.",
    retryable: true, outcomeUnknown: true)
}
