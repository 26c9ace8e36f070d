import Audit
import Contracts
import HotPath
import Introspection
import Ledger
public import Logging
import Loop
public import Projection
public import RPC
public import Wire

/// What a worker answers: its health, its state, its contracts, what the books say, and what is to be
/// done with dead letters and differences.  On one serial queue beside the lanes,
/// which it never blocks; what waits for a store does so on a queue of its own.
public actor WorkerServer {
  /// What the user may set.
  public struct Settings: Sendable {
    /// Where to listen; nowhere, when there is none.
    public var addresses: [Address]
    /// Mode and owner of Unix sockets.
    public var socketAccess = SocketAccess()
    /// The stores.
    public var projection: Projection.Settings
    /// What `Diagnostics/State` says of the settings.
    public var inForce: [SettingState] = []

    /// Settings with their defaults.
    public init(addresses: [Address], projection: Projection.Settings) {
      (self.addresses, self.projection) = (addresses, projection)
    }
  }

  /// An address that another program listens on.
  public struct AddressTaken: Error, CustomStringConvertible {
    /// Which.
    public let address: Address

    /// One sentence for a person.
    public var description: String {
      "another program listens on \(address): give a second worker an address of its own (--listen)"
    }
  }

  private let executor: LoopExecutor
  private let settings: Settings
  private let progress: Progress
  private let logger: Logger
  private let madeAt = monotonicNow()
  private let redis: StoreProbe<EventStream>
  private let postgres: StoreProbe<Postgres>
  private let audited: LastAudit
  let desk: DeadLetterDesk
  let auditor: AuditDesk
  let audits: AuditRuns
  let records: RecordsDesk
  let open = OpenCalls()
  private var probing: [Task<Void, Never>] = []
  private var parts: Parts?

  /// What lives on the loop's queue.
  private struct Parts {
    let loop: EventLoop
    let server: Server
    let counts: CallCounts
  }

  /// The loop's queue.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// - Parameter progress: of the projection in this process.
  public init(_ settings: Settings, progress: Progress, logger: Logger) {
    self.settings = settings
    self.progress = progress
    self.logger = logger
    executor = LoopExecutor(label: "stockworker.server")
    let stores = settings.projection
    let audited = LastAudit()
    self.audited = audited
    desk = DeadLetterDesk(stores, logger: logger)
    records = RecordsDesk(stores, logger: logger)
    var audit = AuditSettings(redis: stores.redis, database: stores.database, name: stores.name)
    (audit.keys, audit.limits) = (stores.keys, stores.limits)
    auditor = AuditDesk(audit, logger: logger)
    audits = AuditRuns(audit, logger: logger)
    redis = StoreProbe("redis") {
      try EventStream(at: stores.redis, keys: stores.keys, consumer: stores.name)
    } ask: {
      audited.read(try $0.auditFigures())
      return try $0.closure()
    }
    postgres = StoreProbe("postgresql") {
      let made = try Postgres(
        stores.database, name: "stockworker \(stores.name) probe", limits: stores.limits)
      try made.checkSession()
      return made
    } ask: {
      try $0.checkFitness()
      return nil
    }
  }

  /// Listens.
  /// - Returns: what is listened on.
  /// - Throws: `AddressTaken`; `SystemError` when an address cannot be bound for another reason.
  public func start() throws -> [Address] {
    guard !settings.addresses.isEmpty else { return [] }
    let loop = try EventLoop(on: executor)
    var methods = MethodTable()
    methods.on(StateRequest.method) { (call) throws(Status) in try self.state(call) }
    addDeadLetters(to: &methods)
    addAudit(to: &methods)
    addRecords(to: &methods)
    methods.onDescribe(Contracts.ofWorker)
    methods.onHealthCheck { _ in self.readiness }
    let counts = CallCounts(of: methods)
    var chain = CallChain()
    chain.observers = [CallLog(slowMs: 0, logger: logger), counts]
    var terms = Server.Terms()
    terms.name = "stockworker/\(Release.version)"
    terms.connectionsMax = AdministrationLimits.connectionsMax
    terms.connectionsPerPeerMax = AdministrationLimits.connectionsMax
    let server = Server(
      methods: methods, chain: chain, terms: terms, loop: loop, logger: logger)
    for address in settings.addresses {
      do {
        try server.listen(on: [address], access: settings.socketAccess, alone: true)
      } catch {
        server.closeAll()
        loop.stop()
        throw error.code == SystemError.addressInUse ? AddressTaken(address: address) : error
      }
    }
    parts = Parts(loop: loop, server: server, counts: counts)
    probing = [Task { [redis] in await redis.run() }, Task { [postgres] in await postgres.run() }]
    return server.listening.addresses
  }

  /// Accepts nothing more and answers what was accepted, within `AdministrationLimits.graceMs`.
  public func stop() async {
    for probe in probing { probe.cancel() }
    guard let parts else { return }
    self.parts = nil
    await withCheckedContinuation { continuation in
      let timer = parts.loop.after(ms: AdministrationLimits.graceMs) { parts.server.closeAll() }
      parts.server.drain {
        parts.loop.cancel(timer: timer)
        continuation.resume()
      }
    }
    parts.loop.stop()
  }

  /// Returns once the loop has come round to it: it does not hang.
  public func comesRound() {}

  // MARK: health and state

  /// Whether events reach the books: both stores must take writes, and every lane and what stands beside
  /// them must move.  And what a person should look at.
  private var readiness: HealthCheckReply {
    let figures = progress.figures
    func reasons(_ probed: String?, ofBooks: Bool) -> [String] {
      let troubles = figures.troubles.values.filter { $0.isOfBooks == ofBooks }.map(\.reason)
      let reasons = probed.map { [$0] } ?? Set(troubles).sorted()
      return reasons.map { "\(ofBooks ? "postgresql" : "redis"): \($0)" }
    }
    var down = reasons(redis.reachability.downReason, ofBooks: false)
    down += reasons(postgres.reachability.downReason, ofBooks: true)
    let late = progress.pulse.late
    if !late.isEmpty { down.append("it hangs: \(late.joined(separator: ", "))") }
    if down.isEmpty, !figures.isReady {
      down.append("it is starting: no lane has come to the events yet")
    }
    if down.isEmpty, let reason = figures.notTaken {
      down.append("the events of this Redis are not written into the books: \(reason)")
    }
    guard down.isEmpty else { return HealthCheckReply(notServing: down) }
    var warnings = figures.warnings
    if figures.hasNamesake {
      warnings.append(
        "another worker is called \(settings.projection.name) too: each needs a name of its own "
          + "(stockworker --name)")
    }
    if let audit = audited.state, audit.verdict == "DIFFERS" {
      warnings.append("Redis and the books differ: \(audit.kinds) (stockctl audit)")
    }
    return HealthCheckReply(warnings: warnings)
  }

  private func state(_ call: Call) throws(Status) {
    let request = try StateRequest(call.message, arena: call.arena)
    guard let parts else {
      throw Status(
        .unavailable, reason: "SHUTTING_DOWN", message: "The worker is going.", retryable: true)
    }
    var shard = ShardState()
    shard.writer = settings.projection.name
    shard.connectionsOpen = UInt64(parts.server.connectionCount)
    shard.connectionsMade = parts.server.connectionsMade
    shard.connections = parts.server.connectionStates(max: request.connectionsMax)
    shard.methods = parts.counts.state
    var worker = WorkerState(progress.figures)
    worker.audit = audited.state
    worker.name = settings.projection.name
    worker.lanes = UInt32(settings.projection.lanes)
    worker.redisDown = redis.reachability.downReason ?? ""
    worker.postgresDown = postgres.reachability.downReason ?? ""
    shard.redis.downReason = worker.redisDown
    shard.redis.open = worker.redisDown.isEmpty
    var reply = StateReply()
    reply.process = ProcessState(of: "stockworker", since: madeAt)
    reply.settings = settings.inForce
    reply.shards = [shard]
    reply.worker = worker
    call.reply(reply)
  }
}

extension Progress.Figures {
  /// What a person should look at, a sentence each.
  fileprivate var warnings: [String] {
    var warnings: [String] = []
    if isBehind { warnings.append("the books are \(oldestAgeMs / 1_000) s behind") }
    if let deadLetters, deadLetters > 0 {
      warnings.append("dead letters: \(deadLetters) (stockctl dead list)")
    }
    for name in unknownGroups { warnings.append("a group that nobody waits for: \(name)") }
    for name in missingGroups {
      warnings.append("the stream is not trimmed: the group \(name) does not exist")
    }
    for name in stalledGroups {
      warnings.append("the stream is not trimmed: the group \(name) does not move")
    }
    return warnings
  }
}

extension WorkerState {
  fileprivate init(_ figures: Progress.Figures) {
    self.init()
    ready = figures.isReady
    lagEntries = UInt64(figures.lagEntries ?? 0)
    pendingEntries = UInt64(figures.pendingEntries)
    oldestAgeMs = figures.oldestAgeMs
    appliedTo = figures.appliedTo
    streamEntries = UInt64(figures.streamEntries)
    deadLetters = UInt64(figures.deadLetters ?? 0)
    unknownGroups = figures.unknownGroups
    missingGroups = figures.missingGroups
    stalledGroups = figures.stalledGroups
  }
}
