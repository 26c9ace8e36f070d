import Contracts
public import HotPath
import Introspection
import Inventory
public import Logging
import Loop
public import RPC
public import Wire

/// One shard of the server: its connections, its batch, its sweep and its Redis link, on one serial
/// queue.  Shards share nothing, and nothing in a call leaves its shard.
public actor Shard {
  /// What the user may set.
  public struct Settings: Sendable {
    /// Where to listen.
    public var addresses: [Address]
    /// Mode and owner of Unix sockets.
    public var socketAccess = SocketAccess()
    /// Which Redis, and how long it remembers.
    public var store: Store.Settings
    /// The life of a hold whose caller names none, in milliseconds.
    public var holdMsDefault = Limits.holdMsDefault
    /// How connections are treated.
    public var server = Server.Terms()
    /// A call that takes longer is logged, in milliseconds; 0: none is.
    public var slowCallMs = CallLog.slowMsDefault
    /// What `Diagnostics/State` says of the settings.
    public var inForce: [SettingState] = []

    /// Settings with their defaults.
    public init(addresses: [Address], store: Store.Settings) {
      self.addresses = addresses
      self.store = store
    }
  }

  private let executor: LoopExecutor
  private let settings: Settings
  private let number: Int
  private let writer: String
  private let logger: Logger
  private let madeAt = monotonicNow()
  private var parts: Parts?
  private var others: [Shard] = []

  /// What lives on the loop's queue.
  private struct Parts {
    let loop: EventLoop
    let store: Store
    let batch: Batch
    let sweep: Sweep
    let feed: Feed
    let board: StockBoard
    let acknowledging: Acknowledging
    let server: Server
    let counts: CallCounts
    let gathering: StateGathering
  }

  /// The loop's queue.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// - Parameter incarnation: names this start of the server; with the number of the shard it names
  ///   what the shard writes.
  public init(_ settings: Settings, incarnation: String, number: Int, logger: Logger) {
    self.settings = settings
    self.number = number
    writer = "\(incarnation).\(number)"
    self.logger = logger
    executor = LoopExecutor(label: "stockstream.shard.\(writer)")
  }

  /// Listens and connects.
  /// - Parameter other: what another shard listens on; this one listens on the same.
  /// - Returns: what is listened on.
  /// - Throws: `SystemError` when an address cannot be bound.
  public func start(with other: Server.Listening? = nil) throws -> Server.Listening {
    let loop = try EventLoop(on: executor)
    let store = Store(settings.store, writer: writer, on: loop, logger: logger)
    let batch = Batch(on: store, loop: loop, logger: logger)
    let sweep = Sweep(of: store, through: batch, on: loop, logger: logger)
    let feed = Feed(beside: store, on: loop, logger: logger)
    let board = StockBoard(on: feed, through: batch, loop: loop)
    let replicas = ReplicaWait(for: store, on: loop, logger: logger)
    let acknowledging = Acknowledging(
      store, replicas: replicas, books: BooksWait(on: store, loop: loop), loop: loop,
      standard: settings.store.acknowledgement)
    store.processChanged = { [weak feed, weak replicas] in
      feed?.stayBeside()
      replicas?.stayBeside()
    }
    let sale = Sale(
      store: store, batch: batch, feed: feed, board: board, acknowledging: acknowledging,
      decoder: OperationDecoder(holdMsDefault: settings.holdMsDefault), logger: logger)
    var methods = sale.makeMethods()
    methods.on(StateRequest.method) { (call) throws(Status) in try self.gatherState(call) }
    methods.onDescribe(Contracts.ofServer)
    methods.onHealthCheck { $0.isEmpty ? sale.readiness : sale.readiness(of: $0) }
    let counts = CallCounts(of: methods)
    var chain = CallChain()
    chain.observers = [CallLog(slowMs: settings.slowCallMs, logger: logger), counts]
    let server = Server(
      methods: methods, chain: chain, terms: settings.server, loop: loop, logger: logger)
    if let other {
      try server.listen(with: other)
    } else {
      try server.listen(on: settings.addresses, access: settings.socketAccess)
    }
    store.start()
    sweep.start()
    parts = Parts(
      loop: loop, store: store, batch: batch, sweep: sweep, feed: feed, board: board,
      acknowledging: acknowledging, server: server, counts: counts,
      gathering: StateGathering(on: loop))
    return server.listening
  }

  /// Accepts nothing more and answers everything that was accepted; what cannot be answered within
  /// `graceMs` ends with its outcome unknown.
  public func stop(graceMs: UInt64) async {
    guard let parts else { return }
    self.parts = nil
    others = []
    parts.sweep.stop()
    await withCheckedContinuation { continuation in
      let timer = parts.loop.after(ms: graceMs) {
        parts.batch.close()
        parts.acknowledging.close()
        // The answers travel at the end of this pass; whoever does not read them is cut off.
        parts.loop.after(ms: 200) { parts.server.closeAll() }
      }
      parts.server.drain {
        parts.loop.cancel(timer: timer)
        continuation.resume()
      }
    }
    parts.acknowledging.close()
    parts.board.close()
    parts.feed.close()
    await withCheckedContinuation { continuation in
      parts.store.leave { continuation.resume() }
    }
    parts.store.close()
    parts.loop.stop()
  }

  /// Returns once the loop has come round to it: it does not hang.
  public func comesRound() {}

  // MARK: state

  /// Names the other shards, which `Diagnostics/State` asks too.
  public func know(_ others: [Shard]) { self.others = others }

  private func gatherState(_ call: Call) throws(Status) {
    let request = try StateRequest(call.message, arena: call.arena)
    let connectionsMax = max(1, request.connectionsMax / (others.count + 1))
    guard let gathering = parts?.gathering, let own = state(connectionsMax) else {
      throw Status(
        .unavailable, reason: "SHUTTING_DOWN", message: "The server is going.", retryable: true)
    }
    var reply = StateReply()
    reply.process = ProcessState(of: "stockd", since: madeAt)
    reply.settings = settings.inForce
    reply.shards = [own]
    let number = gathering.begin(call, reply, others: others.count)
    for other in others {
      Task {
        if let state = await other.state(connectionsMax) { received(state, for: number) }
      }
    }
  }

  private func received(_ state: ShardState, for number: UInt64) {
    parts?.gathering.received(state, for: number)
  }

  /// What this shard knows of itself; nil: it is going.
  private func state(_ connectionsMax: Int) -> ShardState? {
    guard let parts else { return nil }
    var state = ShardState()
    (state.number, state.writer) = (UInt32(number), writer)
    state.connectionsOpen = UInt64(parts.server.connectionCount)
    state.connectionsMade = parts.server.connectionsMade
    state.connectionBytes = UInt64(parts.server.connectionBytes)
    state.connectionsShed = parts.server.connectionsShed
    state.connections = parts.server.connectionStates(max: connectionsMax)
    state.methods = parts.counts.state
    state.batch.waiting = UInt64(parts.batch.waiting)
    state.batch.inFlight = UInt64(parts.batch.inFlight)
    state.batch.scripts = parts.batch.counters.scripts
    state.batch.operations = parts.batch.counters.operations
    state.batch.scriptNs = parts.batch.counters.nanoseconds
    state.redis.open = parts.store.isOpen
    state.redis.downReason = parts.store.downReason ?? ""
    state.redis.warnings = parts.store.warnings
    state.redis.holdsRefused = parts.store.placing.refusal ?? ""
    return state
  }
}
