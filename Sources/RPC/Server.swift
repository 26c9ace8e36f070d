import Glibc
public import Logging
public import Loop
import Wire

/// One shard's server: it listens, accepts, and owns its connections.  Lives on the loop's queue, until
/// the loop is stopped.
public final class Server {
  /// What a server listens on, for the servers of other shards to listen on too.
  public struct Listening: Sendable {
    /// The addresses, with the ports that were found.
    public let addresses: [Address]
    /// Descriptors of Unix sockets, which the first server owns, by address.
    let descriptors: [Address: Int32]
  }

  /// What the user may set, and what the server says of itself.
  public struct Terms: Sendable {
    /// Connections at once; one more is told so and closed.
    public var connectionsMax = RPCLimits.connectionsMax
    /// Connections of one peer at once: of an address, or of a user on a Unix socket.
    public var connectionsPerPeerMax = RPCLimits.connectionsPerPeerMax
    /// Bytes that all connections together may hold: unfinished frames, requests in flight and replies
    /// that have not been read; beyond it those that hold most are closed.
    public var connectionBytesMax = RPCLimits.connectionBytesMax
    /// A connection without calls is closed after so many milliseconds; 0: never.
    public var idleMs = RPCLimits.idleMsDefault
    /// A connection is closed after so many milliseconds; 0: never.
    public var ageMs: UInt64 = 0
    /// "stockd/0.1.0"
    public var name = ""

    /// Terms with their defaults.
    public init() {}

    var limits: ConnectionLimits {
      var limits = ConnectionLimits()
      limits.frameBytesMax = UInt32(Frame.payloadBytesMax)
      limits.callsInFlightMax = UInt32(RPCLimits.callsInFlightMax)
      limits.requestBytesInFlightMax = UInt32(RPCLimits.requestBytesInFlightMax)
      limits.streamsMax = UInt32(RPCLimits.streamsMax)
      limits.windowBytesMax = UInt32(RPCLimits.windowBytesMax)
      limits.idleMs = idleMs
      limits.ageMs = ageMs
      return limits
    }
  }

  let loop: EventLoop
  let methods: MethodTable
  let chain: CallChain
  let terms: Terms
  /// Requests are decoded into this one, replies encoded through the other: an answer may be given
  /// while the request is still being read.
  let requestArena = Arena()
  let replyArena = Arena()
  var replyMessage = ByteBuffer()

  let logger: Logger
  private(set) lazy var held = HeldBytes(of: self)
  private let scratch = ReadScratch()
  private var listeners: [Listener] = []
  private(set) var connections: [UInt64: Connection] = [:]
  private var connectionsOfPeer: [Peer: Int] = [:]
  /// A crowd that is closed must not fill the log.
  private var closedLines = LineAllowance()
  /// Connections that have been accepted.
  public private(set) var connectionsMade: UInt64 = 0
  private var refused: (count: Int, last: (peer: Peer, reason: String)?) = (0, nil)
  private var drained: (() -> Void)?
  private var closing = false
  private var ticking: UInt64 = 0

  /// A server that listens on nothing yet.
  public init(
    methods: MethodTable, chain: CallChain = CallChain(), terms: Terms = Terms(),
    loop: EventLoop, logger: Logger
  ) {
    self.loop = loop
    self.methods = methods
    self.chain = chain
    self.terms = terms
    self.logger = logger
    tick()
  }

  /// Listens on addresses; a Unix socket gets this mode and owner.
  /// - Parameter alone: no other process may listen on the same TCP port, as a server does that takes
  ///   over from another.
  /// - Throws: `SystemError` when one cannot be bound; then none is listened on.
  public func listen(
    on addresses: [Address], access: SocketAccess = SocketAccess(), alone: Bool = false
  ) throws(SystemError) {
    do throws(SystemError) {
      for address in addresses {
        listeners.append(
          try Listener(
            on: address, access: access, alone: alone, loop: loop,
            accepted: { [unowned self] in accepted($0) },
            failed: { [unowned self] in cannotAccept($0) }))
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
          accepted: { [unowned self] in accepted($0) },
          failed: { [unowned self] in cannotAccept($0) }))
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
  /// What they hold, in bytes, see `Terms.connectionBytesMax`.
  public var connectionBytes: Int { held.total }
  /// Connections that were closed for what they held.
  public var connectionsShed: UInt64 { held.closed }

  private func accepted(_ fd: Int32) {
    guard let peer = Socket.peer(of: fd) else {
      close(fd)
      return
    }
    if let reason = refusal(of: peer) { return refuse(fd, peer, reason) }
    do {
      let channel = try ByteChannel(
        fd: fd, connecting: false, outputBytesMax: RPCLimits.heldUpReplyBytes,
        endComesFirst: true, on: loop, scratch: scratch)
      connectionsMade += 1
      connectionsOfPeer[peer, default: 0] += 1
      connections[connectionsMade] = Connection(
        channel, from: peer, number: connectionsMade, server: self)
    } catch {
      close(fd)
      logger.error("cannot watch a connection", metadata: ["error": "\(error)"])
    }
  }

  /// Why one more connection of a peer is not taken; nil: it is.
  private func refusal(of peer: Peer) -> String? {
    if connections.count >= terms.connectionsMax {
      return "there are too many connections (connections-max: \(terms.connectionsMax))"
    }
    guard connectionsOfPeer[peer, default: 0] >= terms.connectionsPerPeerMax else { return nil }
    return "you have too many connections (connections-per-peer-max: "
      + "\(terms.connectionsPerPeerMax))"
  }

  /// Closes a connection that is not taken.  Its peer is told why, if the kernel takes that at once.
  private func refuse(_ fd: Int32, _ peer: Peer, _ reason: String) {
    refused = (refused.count + 1, (peer, reason))
    GoingAway(reason: reason, closeAfterMs: 0).encode(into: &replyMessage, arena: replyArena)
    var notice = ByteBuffer()
    ResponseEnvelope.append(callID: 0, message: replyMessage, to: &notice, arena: replyArena)
    replyMessage.consume(replyMessage.count)
    replyArena.reset()
    Socket.turnAway(fd, saying: notice.readable, scratch: scratch.memory)
  }

  /// Looks at every connection: whoever keeps the server waiting too long is cut off.
  private func tick() {
    let ms = drained == nil ? RPCLimits.tickMs : RPCLimits.tickMs / 10
    loop.cancel(timer: ticking)
    ticking = loop.after(ms: ms) { [self] in
      guard !closing else { return }
      sayWhoWasRefused()
      let now = loop.now
      for connection in Array(connections.values) { connection.tick(now) }
      tick()
    }
  }

  private func sayWhoWasRefused() {
    guard let last = refused.last else { return }
    logger.warning(
      "connections refused",
      metadata: [
        "count": "\(refused.count)", "peer": "\(last.peer)", "reason": "\(last.reason)",
      ])
    refused = (0, nil)
  }

  private func cannotAccept(_ error: SystemError) {
    logger.error("cannot accept", metadata: ["error": "\(error)"])
  }

  private func closeListeners() {
    for listener in listeners { listener.close() }
    listeners.removeAll()
  }

  func closed(_ connection: Connection, _ reason: String?) {
    if let reason, let omitted = closedLines.line(monotonicNow()) {
      logger.info(
        "connection closed",
        metadata: [
          "reason": "\(reason)", "peer": "\(connection.peer)", "omitted": "\(omitted)",
        ])
    }
    connections[connection.number] = nil
    let others = connectionsOfPeer[connection.peer, default: 1] - 1
    connectionsOfPeer[connection.peer] = others == 0 ? nil : others
    if connections.isEmpty, let drained {
      self.drained = nil
      drained()
    }
  }

  /// Accepts nothing more, tells every peer, lets every call in flight be answered, and closes.
  /// - Parameter completion: called once, when the last connection has closed.
  public func drain(_ completion: @escaping () -> Void) {
    // Whoever has got through is told, not cut off.
    for listener in listeners { listener.acceptWaiting() }
    closeListeners()
    guard !connections.isEmpty else { return completion() }
    drained = completion
    for connection in Array(connections.values) { connection.goAway("the server is shutting down") }
    tick()
  }

  /// Listens no more, and closes every connection at once.
  public func closeAll() {
    closing = true
    closeListeners()
    for connection in Array(connections.values) { connection.close() }
  }
}
