import CHiredis
import Glibc
public import Logging
public import Loop
public import Wire

/// A shard's connection to Redis: hiredis reads replies, on the shard's event loop.
///
/// How it works.  The link has the host's name looked up, connects, greets (see `Greeting`), and is open;
/// when it dies it waits and connects again, for ever, each time to the next of the host's addresses.  Each completion is called exactly once: with a reply, or with nil when
/// the connection died first, and then the command may or may not have run.
///
/// Commands are written from here, and replies are made in an arena (`ReplyArena`): hiredis's own
/// asynchronous context allocates four times for each command and twice for each part of a reply, a
/// sixth of stockd's instructions for a call that is alone.
///
/// Lives on the loop's queue.
public final class RedisLink: Descriptor, EndOfPass {
  /// How long a connection may take to be greeted.
  static let greetingMsMax: UInt64 = 2_000
  /// A reply that takes longer than this makes the connection count as dead.
  static let replyMsMax: UInt64 = 10_000
  /// The wait before the first attempt to connect again; doubles up to `reconnectMsMax`.
  static let reconnectMsMin: UInt64 = 20
  /// The longest wait between two attempts.
  static let reconnectMsMax: UInt64 = 1_000

  /// Where the link is in its life.
  public enum State: Equatable {
    /// Not usable, and why.
    case down(String)
    /// Connected, and being greeted.
    case greeting
    /// Commands are served.
    case open
  }

  /// Where the link is in its life.
  public private(set) var state = State.down("not connected yet")
  /// Names the process of Redis at the other end, once a greeting has asked; empty before.
  var process = ""
  /// Called whenever `state` has changed to open or from open.
  public var changed: () -> Void = {}

  private let address: RedisAddress
  private let loop: EventLoop
  private let logger: Logger
  private let greeting: (RedisLink, @escaping (String?) -> Void) -> Void
  private var context: UnsafeMutablePointer<redisContext>?
  private var token: Token?
  /// Commands on their way out.
  private var output = ByteBuffer(capacity: 4096)
  private let replies = ReplyArena()
  /// The completions of commands without a reply, in the order in which they were sent.
  private var unanswered = FIFO<Waiting>()
  private var oldestUnanswered: UInt64?
  private var isConnecting = false
  /// A lookup of the host's name is under way: there is one at a time, however long it takes.
  private var isLookingUp = false
  private var attempts = 0
  private var isPutOff = false
  private var armedForWrite = false
  /// A completion is being called: the reply that it reads is still needed.
  private var isDelivering = false
  private var reconnectMs = reconnectMsMin
  private var watchdog: UInt64?
  private var closed = false
  /// From the first failure to the next time that the link is open: whatever is tried meanwhile.
  private var outage = Outage()

  /// Completes a command; nil when the connection died before the reply came.
  public typealias Completion = (RedisReply?) -> Void

  /// As a structure: a closure in a generic collection is wrapped in another.
  private struct Waiting {
    let completion: Completion
  }

  /// - Parameter greeting: what is to be said on a fresh connection; completes with nil, or with the
  ///   reason why this Redis cannot be used.
  public init(
    to address: RedisAddress, on loop: EventLoop, logger: Logger,
    greeting: @escaping (RedisLink, @escaping (String?) -> Void) -> Void
  ) {
    self.address = address
    self.loop = loop
    self.logger = logger
    self.greeting = greeting
  }

  /// Begins to connect.
  public func start() { connect() }

  /// Ends the link: every outstanding completion is called with nil.
  public func close() {
    closed = true
    drop("closed")
  }

  // MARK: commands

  /// Sends a command that is already encoded.  Travels at the end of the pass.
  public func send(_ command: borrowing ByteBuffer, _ completion: @escaping Completion) {
    guard isConnected else { return completion(nil) }
    output.append(command.readable)
    unanswered.append(Waiting(completion: completion))
    if oldestUnanswered == nil { oldestUnanswered = monotonicNow() }
    guard !isPutOff else { return }
    isPutOff = true
    loop.putOff(self, first: true)
  }

  /// Commands can be sent: those of the greeting, or all.
  private var isConnected: Bool {
    if case .down = state { false } else { true }
  }

  /// Sends a command given as its arguments.
  public func send(_ arguments: [String], _ completion: @escaping Completion) {
    send(arguments.map { Array($0.utf8) }, completion)
  }

  /// Sends a command given as its arguments, whose bytes need not be text.
  public func send(_ arguments: [[UInt8]], _ completion: @escaping Completion) {
    var command = ByteBuffer(capacity: 256)
    command.begin(command: arguments.count)
    for argument in arguments { argument.withUnsafeBytes { command.append(argument: $0) } }
    send(command, completion)
  }

  /// Gives the connection up, for a reason that the log and the health check repeat, and makes
  /// another after a wait.
  public func drop(_ reason: String) {
    guard context != nil else { return }
    if !closed {
      outage.began(isConnecting ? "redis cannot be reached" : "redis link lost", reason, logger)
    }
    state = .down(reason)
    if !isDelivering { disconnect() }
  }

  // MARK: connecting

  private func connect() {
    guard !closed, context == nil, !isLookingUp else { return }
    switch address.endpoint {
    case .unix(let path): begin(redisConnectUnixNonBlock(path))
    case .tcp(let host, let port):
      isLookingUp = true
      let silence = loop.after(ms: Self.greetingMsMax) { [weak self] in
        self?.say(HostLookup.silence(about: host, ms: Int(Self.greetingMsMax)).description)
      }
      loop.lookUp(host, port: port) { [weak self] outcome in
        guard let self else { return }
        loop.cancel(timer: silence)
        isLookingUp = false
        found(outcome)
      }
    }
  }

  private func found(_ outcome: HostLookup.Outcome) {
    guard !closed else { return }
    let fd: Int32
    do throws(SystemError) {
      let addresses = try outcome.get().fourFirst
      attempts += 1
      fd = try addresses[(attempts - 1) % addresses.count].connect()
    } catch {
      return retry(error.description)
    }
    let made = redisConnectFd(fd)
    if made == nil { _ = Glibc.close(fd) }
    // hiredis takes it for a blocking one, and would take an empty read for an error.
    made?.pointee.flags &= ~REDIS_BLOCK
    begin(made)
  }

  private func begin(_ made: UnsafeMutablePointer<redisContext>?) {
    guard let made else { return retry("no memory for a connection") }
    guard made.pointee.err == 0 else {
      let reason = Self.reason(made)
      redisFree(made)
      return retry(reason)
    }
    context = made
    replies.serve(made.pointee.reader)
    (isConnecting, armedForWrite) = (true, true)
    do {
      token = try loop.add(self, fd: made.pointee.fd, interest: .readAndWrite)
    } catch {
      return drop("\(error)")
    }
    watchdog = loop.after(ms: Self.greetingMsMax) { [weak self] in
      guard let self, state != .open else { return }
      watchdog = nil
      drop("no greeting within \(Self.greetingMsMax) ms")
    }
  }

  /// The system has made the connection, or has not.
  private func connected(_ context: UnsafeMutablePointer<redisContext>) {
    let fd = context.pointee.fd
    var (code, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size)
    guard code == 0 else { return drop(String(cString: strerror(code))) }
    var one: Int32 = 1
    setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    isConnecting = false
    state = .greeting
    greeting(self) { [weak self] refusal in
      guard let self, self.context == context else { return }
      if let refusal { return drop(refusal) }
      opened()
    }
  }

  private func opened() {
    state = .open
    reconnectMs = Self.reconnectMsMin
    if let token { loop.makeUrgent(token) }
    if let watchdog { loop.cancel(timer: watchdog) }
    watchReplies()
    outage.ended(nil, logger)
    logger.info("redis link open", metadata: ["address": "\(address)"])
    changed()
  }

  /// A peer that has vanished without a word sends no reset: only a reply that never comes tells.
  private func watchReplies() {
    watchdog = loop.after(ms: 1_000) { [weak self] in
      guard let self, state == .open else { return }
      if let oldest = oldestUnanswered,
        monotonicNow() > oldest + Self.replyMsMax * 1_000_000
      {
        watchdog = nil
        return drop("no reply within \(Self.replyMsMax) ms")
      }
      watchReplies()
    }
  }

  private func disconnect() {
    guard let context else { return }
    if let token { loop.remove(token) }
    (self.context, token) = (nil, nil)
    redisFree(context)
    output.consume(output.count)
    oldestUnanswered = nil
    if let watchdog { loop.cancel(timer: watchdog) }
    watchdog = nil
    var lost = FIFO<Waiting>()
    swap(&lost, &unanswered)
    while let waiting = lost.popFirst() { waiting.completion(nil) }
    changed()
    again()
  }

  private func retry(_ reason: String) {
    say(reason)
    again()
  }

  /// Why there is no connection.
  private func say(_ reason: String) {
    guard !closed else { return }
    outage.began("redis cannot be reached", reason, logger)
    state = .down(reason)
  }

  private func again() {
    guard !closed else { return }
    loop.after(ms: reconnectMs) { [weak self] in self?.connect() }
    reconnectMs = min(reconnectMs * 2, Self.reconnectMsMax)
  }

  // MARK: readiness

  /// See `Descriptor`.
  public func ready(_ readiness: Readiness) {
    if isConnecting, let context { connected(context) }
    if readiness.readable { readNow() }
    if readiness.writable, armedForWrite { write() }
  }

  /// Reads what is there, if anything is.
  func readNow() {
    guard isConnected, !isDelivering, let context else { return }
    guard redisBufferRead(context) == REDIS_OK else { return drop(Self.reason(context)) }
    isDelivering = true
    while isConnected, let reply = next(context) {
      guard let waiting = unanswered.popFirst() else {
        drop(reply.error ?? "redis answers what it was not asked")
        break
      }
      oldestUnanswered = unanswered.isEmpty ? nil : monotonicNow()
      waiting.completion(reply)
      replies.reset()
    }
    isDelivering = false
    if !isConnected { disconnect() }
  }

  private func next(_ context: UnsafeMutablePointer<redisContext>) -> RedisReply? {
    var reply: UnsafeMutableRawPointer?
    guard redisGetReplyFromReader(context, &reply) == REDIS_OK else {
      drop(Self.reason(context))
      return nil
    }
    return RedisReply(reply)
  }

  /// One write for all the commands of a pass.
  public func endOfPass() {
    isPutOff = false
    if isConnected, !armedForWrite { write() }
  }

  private func write() {
    guard isConnected, let context, let token else { return }
    while !output.isEmpty {
      let sent = Glibc.send(
        context.pointee.fd, output.readable.baseAddress, output.count, Int32(MSG_NOSIGNAL))
      if sent < 0 {
        if errno == EINTR { continue }
        if errno == EAGAIN { break }
        return drop(String(cString: strerror(errno)))
      }
      output.consume(sent)
    }
    guard armedForWrite == output.isEmpty else { return }
    armedForWrite = !output.isEmpty
    loop.change(token, to: armedForWrite ? .readAndWrite : .read)
  }

  private static func reason(_ context: UnsafeMutablePointer<redisContext>) -> String {
    withUnsafePointer(to: &context.pointee.errstr) {
      $0.withMemoryRebound(to: CChar.self, capacity: 128) { String(cString: $0) }
    }
  }
}
