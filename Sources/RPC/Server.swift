import Glibc
public import Logging
public import Loop
import Wire

/// One shard's server: it listens, accepts, and owns its connections.  Lives on the loop's queue.
public final class Server: Descriptor {
  /// Back off this long when the process has no descriptors left, rather than spin.
  private static let acceptPauseMs: UInt64 = 100

  let loop: EventLoop
  let methods: MethodTable
  /// Requests are decoded into this one, replies encoded through the other: an answer may be given
  /// while the request is still being read.
  let requestArena = Arena()
  let replyArena = Arena()
  var replyMessage = ByteBuffer()

  private let connectionsMax: Int
  private let logger: Logger
  private let scratch = ReadScratch()
  private var listener: Int32
  private var token: Token?
  private var connections: [ObjectIdentifier: Connection] = [:]
  private var drained: (() -> Void)?

  /// The port that is listened on.
  public let port: UInt16

  /// Listens at once.
  /// - Throws: `SystemError` when the address cannot be bound.
  public init(
    on address: Address, methods: MethodTable, connectionsMax: Int = RPCLimits.connectionsMax,
    loop: EventLoop, logger: Logger
  ) throws(SystemError) {
    self.loop = loop
    self.methods = methods
    self.connectionsMax = connectionsMax
    self.logger = logger
    listener = try Socket.listen(on: address)
    port = Socket.port(of: listener)
    token = try loop.add(self, fd: listener, interest: .read)
  }

  /// Open connections.
  public var connectionCount: Int { connections.count }

  /// See `Descriptor`.
  public func ready(_ readiness: Readiness) {
    while listener >= 0 {
      do {
        guard let fd = try Socket.accept(listener) else { return }
        accepted(fd)
      } catch {
        logger.error("cannot accept", metadata: ["error": "\(error)"])
        return pause()
      }
    }
  }

  private func accepted(_ fd: Int32) {
    guard connections.count < connectionsMax else {
      close(fd)
      return logger.warning(
        "connection refused", metadata: ["limit": "\(connectionsMax)"])
    }
    do {
      let channel = try ByteChannel(fd: fd, connecting: false, on: loop, scratch: scratch)
      let connection = Connection(channel, server: self)
      connections[ObjectIdentifier(connection)] = connection
    } catch {
      close(fd)
      logger.error("cannot watch a connection", metadata: ["error": "\(error)"])
    }
  }

  private func pause() {
    if let token { loop.remove(token) }
    token = nil
    loop.after(ms: Self.acceptPauseMs) { [weak self] in
      guard let self, listener >= 0 else { return }
      token = try? loop.add(self, fd: listener, interest: .read)
      if token == nil { pause() }
    }
  }

  func closed(_ connection: Connection, _ reason: String?) {
    if let reason { logger.info("connection closed", metadata: ["reason": "\(reason)"]) }
    connections[ObjectIdentifier(connection)] = nil
    if connections.isEmpty, let drained {
      self.drained = nil
      drained()
    }
  }

  /// Accepts nothing more, lets every call in flight be answered, and closes.
  /// - Parameter completion: called once, when the last connection has closed.
  public func drain(_ completion: @escaping () -> Void) {
    if let token { loop.remove(token) }
    token = nil
    close(listener)
    listener = -1
    guard !connections.isEmpty else { return completion() }
    drained = completion
    for connection in Array(connections.values) { connection.drain() }
  }

  /// Closes every connection at once.
  public func closeAll() {
    for connection in Array(connections.values) { connection.close() }
  }
}
