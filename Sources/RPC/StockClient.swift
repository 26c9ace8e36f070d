import Dispatch
import Loop
public import Wire

/// A client for Swift programs: one connection, many calls in flight, made again when it has died.
///
/// Calls may be made from any task.  Every call ends in a reply or in a `Status`.  One that failed
/// in a way that another attempt may cure is made again, unchanged, until its timeout; so is one
/// whose outcome is unknown.  While the server is away, calls wait for it.
public actor StockClient {
  /// What the user may set.
  public struct Options: Sendable {
    /// What the client calls itself, such as "shop/1.4".
    public var name = "StockClient"
    /// When calls are made again.
    public var retry = RetryPolicy()
    /// Whether calls wait for a server that has never been there.
    public var waitsForServer = true
    /// See `ClientConnection`.
    public var keepaliveMs = ClientConnection.keepaliveMsDefault
    /// Whether each call says until when it is waited for, in milliseconds since 1970 by this machine's
    /// clock: a frame that reaches the server after that time does nothing, however late.  Streams have
    /// no such time.
    ///
    /// The server judges it by its own clock, so both must be kept in step, to well within the timeouts
    /// of the calls.  While this one is behind the server's, calls have that much less time, and fail
    /// with DEADLINE when that is more than their timeout; while it is ahead, frames count for that much
    /// longer.  A server that does not know the field ignores it.
    public var sendsDeadlineAt = false

    /// Options with their defaults.
    public init() {}
  }

  private let addresses: [Address]
  private let options: Options
  private let executor: LoopExecutor
  private var loop: EventLoop?
  private var connection: ClientConnection?
  private var budget = RetryBudget()

  /// Attempts to connect that failed, since the last that did not.
  private var failedDials = 0
  /// Not before this point of CLOCK_MONOTONIC, in nanoseconds.
  private var nextDialAt: UInt64 = 0
  private var wasEverConnected = false
  private var streams: [UInt64: any OpenStream] = [:]
  private var streamsMade: UInt64 = 0

  /// The loop's queue.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// A client that connects with its first call.
  /// - Parameter addresses: of servers of the same shop; when one is away, the next is tried.
  public init(to addresses: Address..., options: Options = Options()) {
    precondition(!addresses.isEmpty, "a client needs a server")
    self.addresses = addresses
    self.options = options
    executor = LoopExecutor(label: "stockstream.client")
  }

  // MARK: calls

  /// Makes one call.
  /// - Parameter timeoutMs: how long to wait in all, at least 1 millisecond.
  /// - Throws: `Status`.  Cancelling the task ends the call with CANCELLED, or lets it end as it
  ///   would, when it is past stopping.
  public func call<Request: RequestMessage & Sendable>(
    _ request: Request, timeoutMs: UInt32 = 5_000, metadata: Metadata = Metadata()
  ) async throws(Status) -> Request.Reply {
    let deadline = monotonicNow() + UInt64(max(timeoutMs, 1)) * 1_000_000
    var attempts = 0
    var mayHaveHappened = false
    while true {
      var status: Status
      do throws(Status) {
        let reply = try await attempt(request, deadline: deadline, metadata: metadata)
        budget.earn()
        return reply
      } catch {
        status = error
      }
      let isDial = status.reason == Status.unreachableReason
      if !isDial { attempts += 1 }
      mayHaveHappened = mayHaveHappened || status.outcomeUnknown
      status.outcomeUnknown = mayHaveHappened
      try await pause(after: status, isDial: isDial, attempts: attempts, deadline)
    }
  }

  /// Waits before another attempt.
  /// - Throws: the status, when there is to be none.
  private func pause(
    after status: Status, isDial: Bool, attempts: Int, _ deadline: UInt64
  ) async throws(Status) {
    let now = monotonicNow()
    let leftMs = deadline > now ? (deadline - now) / 1_000_000 : 0
    if isDial {
      let wait = nextDialAt > now ? (nextDialAt - now + 999_999) / 1_000_000 : 0
      guard options.waitsForServer || wasEverConnected, wait < leftMs else { throw status }
      return try await sleep(ms: wait)
    }
    guard
      let ms = options.retry.pauseMs(
        after: status, attempts: attempts, leftMs: leftMs, random: .random(in: 0..<1)),
      budget.spend()
    else { throw status }
    try await sleep(ms: ms)
  }

  private func sleep(ms: UInt64) async throws(Status) {
    do { try await Task.sleep(nanoseconds: ms * 1_000_000) } catch { throw .cancelled }
  }

  private func attempt<Request: RequestMessage & Sendable>(
    _ request: Request, deadline: UInt64, metadata: Metadata
  ) async throws(Status) -> Request.Reply {
    let ticket = CallTicket()
    return try await withTaskCancellationHandler {
      await answer(to: request, deadline: deadline, metadata: metadata, ticket)
    } onCancel: {
      executor.async { self.assumeIsolated { _ in ticket.cancel() } }
    }.get()
  }

  /// A method of its own: what runs in the cancellation handler's body is not on the actor.
  private func answer<Request: RequestMessage & Sendable>(
    to request: Request, deadline: UInt64, metadata: Metadata, _ ticket: CallTicket
  ) async -> Result<Request.Reply, Status> {
    let now = monotonicNow()
    guard deadline > now + 1_000_000 else { return .failure(.deadlinePassed) }
    let connection: ClientConnection
    do throws(Status) { connection = try await connected(until: deadline) } catch {
      return .failure(error)
    }
    let left = deadline - min(deadline, monotonicNow())
    guard left > 1_000_000 else { return .failure(.deadlinePassed) }
    let result = await withCheckedContinuation { continuation in
      let id = connection.call(
        request, timeoutMs: UInt32(clamping: left / 1_000_000), metadata: metadata
      ) { continuation.resume(returning: $0) }
      ticket.issued(id, on: connection)
    }
    judge(result.failure, of: connection)
    return result
  }

  /// Learns from an answer, or from its absence, whether the server can be reached.
  private func judge(_ status: Status?, of connection: ClientConnection) {
    if status?.reason != Status.unreachableReason {
      failedDials = 0
      wasEverConnected = true
    } else if connection === self.connection {
      self.connection = nil
      dialFailed()
    }
  }

  /// The next server is tried at once; when all have been tried, after a pause.
  private func dialFailed() {
    failedDials += 1
    let rounds = failedDials / addresses.count
    guard rounds > 0 else { return }
    let ceiling: UInt64 = min(1_000, 10 << UInt64(min(rounds, 10)))
    nextDialAt = monotonicNow() + UInt64.random(in: ceiling / 2...ceiling) * 1_000_000
  }

  /// - Parameter deadline: no name of a host is looked up for longer.
  private func connected(until deadline: UInt64) async throws(Status) -> ClientConnection {
    if let connection, connection.takesCalls { return connection }
    let now = monotonicNow()
    guard now >= nextDialAt else {
      let ms = (nextDialAt - now) / 1_000_000
      throw .unreachable("the last attempt failed, and the next is due in \(ms) ms")
    }
    do throws(SystemError) {
      if self.loop == nil { self.loop = try EventLoop(on: executor) }
      let loop = self.loop!
      let made: ClientConnection
      switch addresses[failedDials % addresses.count] {
      case .unix(let path):
        made = try ClientConnection(
          to: .unix(path: path), client: options.name, keepaliveMs: options.keepaliveMs, on: loop)
      case .tcp(let host, let port):
        let found = try await addresses(of: host, port, on: loop, until: deadline).get()
        // Meanwhile another call may have made a connection, or somebody closed the client.
        if let connection, connection.takesCalls { return connection }
        guard self.loop === loop else { throw SystemError("the client was closed", 0) }
        made = try ClientConnection(
          to: found[failedDials / addresses.count % found.count], client: options.name,
          keepaliveMs: options.keepaliveMs, on: loop)
      }
      made.sendsDeadlineAt = options.sendsDeadlineAt
      connection = made
      return made
    } catch {
      dialFailed()
      throw .unreachable("\(error)")
    }
  }

  /// The addresses of a host; that a name has taken too long is a failure like others.
  private func addresses(
    of host: String, _ port: UInt16, on loop: EventLoop, until deadline: UInt64
  ) async -> HostLookup.Outcome {
    let start = monotonicNow()
    return await withCheckedContinuation { continuation in
      var waiting: CheckedContinuation<HostLookup.Outcome, Never>? = continuation
      func end(_ outcome: HostLookup.Outcome) {
        waiting?.resume(returning: outcome)
        waiting = nil
      }
      loop.lookUp(host, port: port) { end($0) }
      guard waiting != nil else { return }
      let waitMs = Int((deadline - min(start, deadline)) / 1_000_000)
      loop.at(deadline) { end(.failure(HostLookup.silence(about: host, ms: waitMs))) }
    }
  }

  /// Closes the connection; a later call makes another.  A client that is not closed keeps its
  /// connection and its queue as long as the process lives.
  public func close() {
    connection?.close()
    connection = nil
    loop?.stop()
    loop = nil
  }

  // MARK: streams

  /// Makes a call whose answer is a stream.  It is not made again when it fails: the caller knows
  /// where to resume.
  /// - Parameter windowBytes: of items that may wait here, unread.
  /// - Throws: `Status` when the server cannot be reached, or could not be a moment ago.
  public func stream<Request: StreamRequest & Sendable>(
    _ request: Request, windowBytes: UInt32 = UInt32(RPCLimits.windowBytesDefault),
    metadata: Metadata = Metadata()
  ) async throws(Status) -> StockStream<Request.Reply> {
    let connection = try await connected(
      until: monotonicNow() + UInt64(ClientConnection.lookupMsMax) * 1_000_000)
    streamsMade += 1
    let number = streamsMade
    let open = ReceivedItems<Request.Reply>(windowBytes: Int(windowBytes))
    streams[number] = open
    let id = connection.stream(request, windowBytes: windowBytes, metadata: metadata) {
      [weak open] reply, bytes in
      open?.received(reply, bytes)
      self.judge(nil, of: connection)
    } end: { [weak open] status in
      open?.ended(status)
      self.judge(status, of: connection)
    }
    open.grant = { [weak connection] bytes in connection?.grant(bytes, to: id) }
    open.cancel = { [weak connection] in connection?.cancel(id) }
    return StockStream(handle: StreamHandle(number, of: self))
  }

  func next<Item: Sendable>(of number: UInt64, as: Item.Type) async throws(Status) -> Item? {
    try await withTaskCancellationHandler {
      await received(of: number, as: Item.self)
    } onCancel: {
      executor.async { self.assumeIsolated { $0.end(number) } }
    }.get()
  }

  private func received<Item: Sendable>(
    of number: UInt64, as: Item.Type
  ) async -> ReceivedItems<Item>.Next {
    guard let open = streams[number] as? ReceivedItems<Item> else { return .end(nil) }
    let result = await withCheckedContinuation { open.next($0) }
    if result.isEnd { streams[number] = nil }
    return result
  }

  /// Streams that somebody holds.
  var openStreams: Int { streams.count }

  func end(_ number: UInt64) { streams.removeValue(forKey: number)?.close() }
}

/// Where a call is in flight, for whoever cancels it.  Used on the client's queue alone: the attempt
/// writes it there, and the cancellation handler hops there before it reads.
private final class CallTicket: @unchecked Sendable {
  private var call: (id: UInt64, connection: ClientConnection)?
  private var isCancelled = false

  func issued(_ id: UInt64, on connection: ClientConnection) {
    call = (id, connection)
    if isCancelled { connection.cancel(id) }
  }

  func cancel() {
    isCancelled = true
    if let call { call.connection.cancel(call.id) }
  }
}

extension Result {
  fileprivate var failure: Failure? {
    if case .failure(let failure) = self { failure } else { nil }
  }
}
