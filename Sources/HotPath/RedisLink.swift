import CHiredis
import Glibc
public import Logging
public import Loop
public import Wire

/// A shard's connection to Redis: hiredis's asynchronous context on the shard's event loop.
///
/// How it works.  The link connects, greets (see `Greeting`), and is open; when it dies it waits and
/// connects again, for ever.  hiredis calls each completion exactly once: with a reply, or with nil
/// when the connection died first, and then the command may or may not have run.
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
  /// Called whenever `state` has changed to open or from open.
  public var changed: () -> Void = {}

  private let address: RedisAddress
  private let loop: EventLoop
  private let logger: Logger
  private let greeting: (RedisLink, @escaping (String?) -> Void) -> Void
  private var context: UnsafeMutablePointer<redisAsyncContext>?
  private var token: Token?
  private var wantsWrite = false
  private var armedForWrite = false
  private var reconnectMs = reconnectMsMin
  private var watchdog: UInt64?
  private var oldestUnanswered: UInt64?
  private var closed = false

  /// Completes a command; nil when the connection died before the reply came.
  public typealias Completion = (RedisReply?) -> Void

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
    guard let context else { return completion(nil) }
    let box = Unmanaged.passRetained(CompletionBox(completion))
    let bytes = command.readable
    let sent = redisAsyncFormattedCommand(
      context,
      { context, reply, box in
        let completion = Unmanaged<CompletionBox>.fromOpaque(box!).takeRetainedValue()
        RedisLink.owner(of: context)?.answered()
        completion.call(RedisReply(reply))
      },
      box.toOpaque(), bytes.assumingMemoryBound(to: CChar.self).baseAddress, bytes.count)
    guard sent == REDIS_OK else {
      box.release()
      return completion(nil)
    }
    if oldestUnanswered == nil { oldestUnanswered = monotonicNow() }
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
    guard let context else { return }
    let was = state
    state = .down(reason)
    if was != .down(reason) && !closed {
      logger.warning("redis link lost", metadata: ["reason": "\(reason)"])
    }
    redisAsyncFree(context)
  }

  // MARK: connecting

  private func connect() {
    guard !closed, context == nil else { return }
    let made =
      switch address.endpoint {
      case .tcp(let host, let port): redisAsyncConnect(host, Int32(port))
      case .unix(let path): redisAsyncConnectUnix(path)
      }
    guard let made else { return retry("no memory for a connection") }
    guard made.pointee.err == 0 else {
      let reason = String(cString: made.pointee.errstr)
      redisAsyncFree(made)
      return retry(reason)
    }
    context = made
    attach(made)
    guard context != nil else { return }
    watchdog = loop.after(ms: Self.greetingMsMax) { [weak self] in
      guard let self, state != .open else { return }
      watchdog = nil
      drop("no greeting within \(Self.greetingMsMax) ms")
    }
  }

  private func attach(_ context: UnsafeMutablePointer<redisAsyncContext>) {
    let owner = Unmanaged.passUnretained(self).toOpaque()
    context.pointee.data = owner
    context.pointee.ev.data = owner
    context.pointee.ev.addRead = { _ in }
    context.pointee.ev.delRead = { _ in }
    context.pointee.ev.addWrite = { RedisLink.from($0).askToWrite() }
    context.pointee.ev.delWrite = { RedisLink.from($0).wantsWrite = false }
    context.pointee.ev.cleanup = { RedisLink.from($0).detached() }
    do {
      let fd = context.pointee.c.fd
      var one: Int32 = 1
      setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
      token = try loop.add(self, fd: fd, interest: .readAndWrite)
      armedForWrite = true
    } catch {
      return drop("\(error)")
    }
    redisAsyncSetConnectCallback(context) { context, status in
      guard let context else { return }
      RedisLink.owner(of: UnsafeMutablePointer(mutating: context))?.connected(
        status == REDIS_OK ? nil : String(cString: context.pointee.errstr))
    }
  }

  private func connected(_ failure: String?) {
    if let failure {
      state = .down(failure)
      return  // hiredis frees the context, which ends in `detached`
    }
    state = .greeting
    greeting(self) { [weak self] refusal in
      guard let self, context != nil else { return }
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

  /// hiredis has let go of the connection; it has called every completion, and frees the context.
  private func detached() {
    if let token { loop.remove(token) }
    token = nil
    let reason =
      context.flatMap { $0.pointee.err == 0 ? nil : String(cString: $0.pointee.errstr) }
    context = nil
    wantsWrite = false
    armedForWrite = false
    oldestUnanswered = nil
    if let watchdog { loop.cancel(timer: watchdog) }
    watchdog = nil
    if case .down = state {
    } else {
      state = .down(reason ?? "connection closed")
      if !closed { logger.warning("redis link lost", metadata: ["reason": "\(state)"]) }
    }
    changed()
    again()
  }

  private func retry(_ reason: String) {
    if state != .down(reason) {
      logger.warning("redis cannot be reached", metadata: ["reason": "\(reason)"])
    }
    state = .down(reason)
    again()
  }

  private func again() {
    guard !closed else { return }
    loop.after(ms: reconnectMs) { [weak self] in self?.connect() }
    reconnectMs = min(reconnectMs * 2, Self.reconnectMsMax)
  }

  private func answered() {
    guard let context else { return }
    oldestUnanswered = context.pointee.replies.head == nil ? nil : monotonicNow()
  }

  // MARK: readiness

  /// See `Descriptor`.
  public func ready(_ readiness: Readiness) {
    if readiness.readable, let context { redisAsyncHandleRead(context) }
    if readiness.writable, context != nil { write() }
  }

  /// Reads what is there, if anything is.
  func readNow() {
    if state == .open, let context { redisAsyncHandleRead(context) }
  }

  /// One write for all the commands of a pass.
  public func endOfPass() {
    if wantsWrite { write() }
  }

  private func askToWrite() {
    wantsWrite = true
    // Before the connection is made, hiredis waits for the descriptor to become writable.
    if state == .open || state == .greeting { loop.putOff(self, first: true) }
  }

  private func write() {
    guard let context else { return }
    wantsWrite = false
    redisAsyncHandleWrite(context)
    guard let token, wantsWrite != armedForWrite else { return }
    armedForWrite = wantsWrite
    loop.change(token, to: armedForWrite ? .readAndWrite : .read)
  }

  // MARK: from C

  private static func from(_ data: UnsafeMutableRawPointer?) -> RedisLink {
    Unmanaged<RedisLink>.fromOpaque(data!).takeUnretainedValue()
  }

  private static func owner(of context: UnsafeMutablePointer<redisAsyncContext>?) -> RedisLink? {
    context?.pointee.data.map { from($0) }
  }
}

/// A completion as hiredis's private data.
private final class CompletionBox {
  let call: RedisLink.Completion
  init(_ call: @escaping RedisLink.Completion) { self.call = call }
}
