public import HotPath
import Inventory
public import Logging
import Loop
public import RPC
import Wire

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

    /// Settings with their defaults.
    public init(addresses: [Address], store: Store.Settings) {
      self.addresses = addresses
      self.store = store
    }
  }

  private let executor: LoopExecutor
  private let settings: Settings
  private let writer: String
  private let logger: Logger
  private var parts: Parts?

  /// What lives on the loop's queue.
  private struct Parts {
    let loop: EventLoop
    let store: Store
    let batch: Batch
    let sweep: Sweep
    let server: Server
  }

  /// The loop's queue.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// - Parameter writer: names this shard of this incarnation of the server.
  public init(_ settings: Settings, writer: String, logger: Logger) {
    self.settings = settings
    self.writer = writer
    self.logger = logger
    executor = LoopExecutor(label: "stockstream.shard.\(writer)")
  }

  /// Listens and connects.
  /// - Parameter other: what another shard listens on; this one listens on the same.
  /// - Returns: what is listened on.
  /// - Throws: `SystemError` when an address cannot be bound.
  public func start(with other: Server.Listening? = nil) throws -> Server.Listening {
    let loop = try EventLoop(on: executor.queue)
    let store = Store(settings.store, writer: writer, on: loop, logger: logger)
    let batch = Batch(on: store, loop: loop, logger: logger)
    let sweep = Sweep(of: store, through: batch, on: loop, logger: logger)
    let sale = Sale(
      store: store, batch: batch,
      decoder: OperationDecoder(holdMsDefault: settings.holdMsDefault), logger: logger)
    let server = Server(
      methods: sale.makeMethods(), terms: settings.server, loop: loop, logger: logger)
    if let other {
      try server.listen(with: other)
    } else {
      try server.listen(on: settings.addresses, access: settings.socketAccess)
    }
    store.start()
    sweep.start()
    parts = Parts(loop: loop, store: store, batch: batch, sweep: sweep, server: server)
    return server.listening
  }

  /// Accepts nothing more and answers everything that was accepted; what cannot be answered within
  /// `graceMs` ends with its outcome unknown.
  public func stop(graceMs: UInt64) async {
    guard let parts else { return }
    self.parts = nil
    parts.sweep.stop()
    await withCheckedContinuation { continuation in
      let timer = parts.loop.after(ms: graceMs) {
        parts.batch.close()
        // The answers travel at the end of this pass; whoever does not read them is cut off.
        parts.loop.after(ms: 200) { parts.server.closeAll() }
      }
      parts.server.drain {
        parts.loop.cancel(timer: timer)
        continuation.resume()
      }
    }
    parts.store.close()
    parts.loop.stop()
  }
}
