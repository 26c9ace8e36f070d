import Glibc
public import Logging
public import Loop
import Wire

/// One shard's server: it listens, accepts, and owns its connections.  Lives on the loop's queue.
public final class Server {
  /// What a server listens on, for the servers of other shards to listen on too.
  public struct Listening: Sendable {
    /// The addresses, with the ports that were found.
    public let addresses: [Address]
    /// Descriptors of Unix sockets, which the first server owns, by address.
    let descriptors: [Address: Int32]
  }

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
  private var listeners: [Listener] = []
  private var connections: [ObjectIdentifier: Connection] = [:]
  private var drained: (() -> Void)?

  /// A server that listens on nothing yet.
  public init(
    methods: MethodTable, connectionsMax: Int = RPCLimits.connectionsMax, loop: EventLoop,
    logger: Logger
  ) {
    self.loop = loop
    self.methods = methods
    self.connectionsMax = connectionsMax
    self.logger = logger
  }

  /// Listens on addresses; a Unix socket gets this mode.
  /// - Throws: `SystemError` when one cannot be bound; then none is listened on.
  public func listen(on addresses: [Address], socketMode: UInt32 = 0o660) throws(SystemError) {
    do throws(SystemError) {
      for address in addresses {
        listeners.append(
          try Listener(
            on: address, socketMode: socketMode, loop: loop,
            accepted: { [weak self] in self?.accepted($0) },
            failed: { [weak self] in self?.cannotAccept($0) }))
      }
    } catch {
      closeListeners()
      throw error
    }
  }

  /// Listens on what another shard's server listens on: TCP ports by a socket of its own among which
  /// the kernel deals connections out, Unix sockets together.
  public func listen(with other: Listening) throws(SystemError) {
    for address in other.addresses {
      guard let descriptor = other.descriptors[address] else {
        try listen(on: [address])
        continue
      }
      listeners.append(
        try Listener(
          sharing: descriptor, of: address, loop: loop,
          accepted: { [weak self] in self?.accepted($0) },
          failed: { [weak self] in self?.cannotAccept($0) }))
    }
  }

  /// What is listened on.
  public var listening: Listening {
    var descriptors: [Address: Int32] = [:]
    for listener in listeners {
      if case .unix = listener.address { descriptors[listener.address] = listener.fd }
    }
    return Listening(addresses: listeners.map(\.address), descriptors: descriptors)
  }

  /// Open connections.
  public var connectionCount: Int { connections.count }

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

  private func cannotAccept(_ error: SystemError) {
    logger.error("cannot accept", metadata: ["error": "\(error)"])
  }

  private func closeListeners() {
    for listener in listeners { listener.close() }
    listeners.removeAll()
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
    closeListeners()
    guard !connections.isEmpty else { return completion() }
    drained = completion
    for connection in Array(connections.values) { connection.drain() }
  }

  /// Closes every connection at once.
  public func closeAll() {
    for connection in Array(connections.values) { connection.close() }
  }
}
