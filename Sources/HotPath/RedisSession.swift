import CHiredis
import Glibc
import Loop
import Wire

/// What Redis, or the way to it, could not do for a reader of the stream.
public enum StreamFault: Error, Equatable, CustomStringConvertible {
  /// There is no connection, or it died.  Whether a command on its way took effect is unknown.
  case lost(String)
  /// Redis answered with this error.
  case refused(String)
  /// The stream or its consumer group is gone, as after FLUSHALL.
  case noGroup
  /// The reply is not one that Redis 7.0 gives.
  case unreadable(String)

  /// Redis would not even begin what it was sent, so that nothing of it was done.  An error from within
  /// a script names the place.
  public var isRefusedAtOnce: Bool {
    if case .refused(let text) = self { !text.contains("@user_script") } else { false }
  }

  /// What it means that Redis refuses every write; nil: the fault is another.
  public var refusalToWrite: String? {
    if case .refused(let text) = self { Store.refusalToWrite(text) } else { nil }
  }

  /// For the log.
  public var description: String {
    switch self {
    case .lost(let reason): reason
    case .refused(let text): text
    case .noGroup: "the stream or its consumer group is gone"
    case .unreadable(let command): "unreadable reply to \(command)"
    }
  }
}

/// A connection to Redis that sends one command at a time and waits for its reply: hiredis's
/// synchronous context, with deadlines.  One thread at a time; closed by deinit.
final class RedisSession {
  /// Making a connection may take this long, and so may looking up the host's name.
  static let connectMsMax = 2_000
  /// A reply may take this long.  A blocking command must block for less.
  static let replyMsMax = 10_000

  private let context: UnsafeMutablePointer<redisContext>

  /// Connects, authenticates and selects the database.
  init(to address: RedisAddress) throws(StreamFault) {
    let made =
      switch address.endpoint {
      case .tcp(let host, let port): redisConnectFd(try Self.connected(to: host, port))
      case .unix(let path):
        redisConnectUnixWithTimeout(path, Self.interval(ms: Self.connectMsMax))
      }
    guard let made else { throw .lost("no memory for a connection") }
    context = made
    guard made.pointee.err == 0 else { throw lost() }
    redisSetTimeout(made, Self.interval(ms: Self.replyMsMax))
    if case .tcp = address.endpoint { redisEnableKeepAlive(made) }
    if let password = address.password {
      try call(["AUTH"] + (address.user.map { [$0] } ?? []) + [password]) { _ in }
    }
    if address.database != 0 { try call(["SELECT", "\(address.database)"]) { _ in } }
  }

  deinit { redisFree(context) }

  /// A blocking socket that is connected to one of the host's addresses.
  private static func connected(to host: String, _ port: UInt16) throws(StreamFault) -> Int32 {
    do throws(SystemError) {
      let found = try HostLookup.addresses(of: host, port: port, withinMs: connectMsMax)
      let deadline = ContinuousClock.now + .milliseconds(connectMsMax)
      var failure = SystemError("connect", ETIMEDOUT)
      for address in found.fourFirst {
        do throws(SystemError) { return try connected(to: address, until: deadline) } catch {
          failure = error
        }
      }
      throw failure
    } catch {
      throw .lost(error.description)
    }
  }

  private static func connected(
    to address: InternetAddress, until deadline: ContinuousClock.Instant
  ) throws(SystemError) -> Int32 {
    let fd = try address.connect()
    var code: Int32 = ETIMEDOUT
    var waiting = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
    while code == ETIMEDOUT, ContinuousClock.now < deadline {
      let left = (deadline - .now).components
      let leftMs = left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000
      guard poll(&waiting, 1, Int32(max(leftMs, 1))) > 0 else { continue }
      var size = socklen_t(MemoryLayout<Int32>.size)
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size)
      if code == ETIMEDOUT { break }
    }
    guard code == 0 else {
      close(fd)
      throw SystemError("connect", code)
    }
    var one: Int32 = 1
    setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK)
    return fd
  }

  /// Sends a command given as texts.
  func call<Result>(
    _ arguments: [String], _ read: (RedisReply) -> Result
  ) throws(StreamFault) -> Result {
    var command = ByteBuffer(capacity: 256)
    command.append("*\(arguments.count)\r\n")
    for argument in arguments { command.append(argument: argument) }
    return try call(command, read)
  }

  /// Sends a command that is already encoded.
  /// - Parameter read: takes what it needs out of the reply, which is freed afterwards.
  func call<Result>(
    _ command: borrowing ByteBuffer, _ read: (RedisReply) -> Result
  ) throws(StreamFault) -> Result {
    let bytes = command.readable
    guard
      redisAppendFormattedCommand(
        context, bytes.assumingMemoryBound(to: CChar.self).baseAddress, bytes.count) == REDIS_OK
    else { throw lost() }
    var memory: UnsafeMutableRawPointer?
    guard redisGetReply(context, &memory) == REDIS_OK, let reply = RedisReply(memory) else {
      throw lost()
    }
    defer { freeReplyObject(memory) }
    if let error = reply.error {
      throw error.hasPrefix("NOGROUP") ? .noGroup : .refused(error)
    }
    return read(reply)
  }

  private func lost() -> StreamFault {
    if context.pointee.err == REDIS_ERR_IO, errno == EAGAIN || errno == EWOULDBLOCK {
      return .lost("redis did not answer within \(Self.replyMsMax) ms")
    }
    let reason = withUnsafeBytes(of: context.pointee.errstr) { text in
      String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
    }
    return .lost(reason)
  }

  private static func interval(ms: Int) -> timeval {
    timeval(tv_sec: ms / 1000, tv_usec: ms % 1000 * 1000)
  }
}
