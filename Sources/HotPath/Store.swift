import Glibc
public import Inventory
public import Logging
public import Loop
import Wire

/// One partition of the stock in one Redis: its link, its script, and whether it may be sold from.
///
/// Lives on the loop's queue.
public final class Store {
  /// What the user may set.
  public struct Settings: Sendable {
    /// Where Redis is.
    public var address: RedisAddress
    /// How long Redis remembers what has ended.
    public var retention = Retention()
    /// How long it remembers that at least, in milliseconds, however short its memory is.
    public var retentionFloorMs = Limits.retentionFloorMsDefault
    /// Bytes of events that may wait for the books; 0: half of Redis's memory limit.
    public var backlogBytesMax: Int64 = 0
    /// What must have happened to a change before it is acknowledged, where its caller does not say.
    public var acknowledgement = Acknowledgement.fsync
    /// Replicas that must have a change before it is acknowledged at REPLICA.
    public var replicas = 1
    /// Whether a Redis that the books have not opened is refused.
    public var isFenced = true
    /// Milliseconds for which no worker may be heard before that is a warning.
    public var workerSilentMs: UInt64 = 10_000

    /// Settings with their defaults.
    public init(address: RedisAddress) { self.address = address }
  }

  /// Whether new holds may begin; the numbers are those of the script.
  public enum Placing: UInt8, Sendable {
    case storeIsFull = 0
    case yes = 1
    case booksAreBehind = 2

    /// Why not, for the health check.
    public var refusal: String? {
      switch self {
      case .yes: nil
      case .storeIsFull: "redis is near its memory limit: no new holds"
      case .booksAreBehind: "too many events wait for the books: no new holds"
      }
    }
  }

  /// What became of a script call.
  enum Outcome {
    case replied(Reply)
    /// The link died: the script may or may not have run.
    case unknown
    /// The script did not run; send it again.
    case notRun
    /// Redis refused it before the first write.
    case refused
    /// It failed where it must not.
    case failed
  }

  /// Redis must keep this much memory free for holds to begin.  It is what a second of selling at
  /// full speed needs, and the memory is read twice a second.
  public static let headroomBytes: Int64 = 32 * 1024 * 1024
  /// How often the memory is read, in milliseconds.
  static let memoryCheckMs: UInt64 = 500

  /// Called when `isOpen` may have changed.
  public var changed: () -> Void = {}
  /// What is weaker than promised; empty when all is well.  Known once the link has been open.
  public var warnings: [String] {
    let off = "the fence is off: a redis that has lost its memory would sell again"
    return durability.warnings + (settings.isFenced ? [] : [off]) + memory.warnings
      + workerSilence.warnings(now: loop.now)
      + (doubt.map { ["a worker does not take the events of redis: \($0)"] } ?? [])
  }
  /// Whether a worker is heard.
  var workerSilence: WorkerSilence
  private(set) var durability = Durability()
  /// As CONFIG GET has just said; nil: it is refused.
  private var redisSettings: [String: String]?
  /// Whether a worker has ever read the stream; nil: not known yet.
  var hasBooks: Bool?
  /// How often the link has been greeted: what is known of another connection is of no use.
  private(set) var greetings: UInt64 = 0
  /// How full this Redis is, and what follows from it.
  var memory: MemoryJudge
  /// Whether new holds may begin: Redis must have the memory, and the books must not be too far
  /// behind.
  public var placing: Placing { memory.placing }
  /// For how long what has ended is remembered now.
  var retention: Retention { memory.retention }

  let settings: Settings
  let keys: KeySpace
  let loop: EventLoop
  let logger: Logger
  private(set) var link: RedisLink!
  let sender: ScriptCommand.Sender
  /// What the fence said last; nil: nothing against this Redis.
  var fenced: (absence: Absence, reason: String)?
  /// Why a worker, of other books as a rule, takes nothing of a Redis that is open; nil: none has said so.
  var doubt: String?
  /// Whether this Redis's opening ends by itself.
  var isLeased = false
  /// Whether a replica follows this Redis, or did.
  var hasReplicas = false
  /// Replicas that are connected.
  var replicaCount = 0
  /// How Redis's clock stands to ours.
  var clock = RedisClock()
  /// Names the process of Redis at the other end; empty before the first greeting.
  public internal(set) var runID = ""
  /// Names the line of writes that it continues: another one after each change of its role.
  public internal(set) var replicationID = ""
  /// Called when another process of Redis is at the other end.
  public var processChanged: () -> Void = {}

  /// - Parameter writer: names this shard of this incarnation of the server, in every stream entry.
  public init(
    _ settings: Settings, writer: String, keys: KeySpace = KeySpace(), on loop: EventLoop,
    logger: Logger
  ) {
    self.settings = settings
    memory = MemoryJudge(settings)
    workerSilence = WorkerSilence(limitMs: settings.workerSilentMs)
    self.keys = keys
    self.loop = loop
    self.logger = logger
    sender = ScriptCommand.Sender(writer: writer)
    link = RedisLink(to: settings.address, on: loop, logger: logger) {
      [weak self] link, done in self?.greet(link, done)
    }
    link.changed = { [weak self] in self?.changed() }
  }

  /// Connects, and reads Redis's memory from then on.
  public func start() {
    link.start()
    checkMemory()
    voteFromTimeToTime()
  }

  /// Closes the link; what is outstanding ends with its outcome unknown.
  public func close() { link.close() }

  /// Whether a batch can be sent now.
  public var isOpen: Bool { link.state == .open }

  /// Why nothing can be sold; nil while the link is open.
  public var downReason: String? {
    switch link.state {
    case .open: nil
    case .greeting: "redis: \(fenced?.reason ?? "being checked")"
    case .down(let reason): "redis: \(reason)"
    }
  }

  /// Why a change cannot be acknowledged at a level; nil: it can, as far as is known.
  public func refusal(of level: Acknowledgement) -> String? {
    switch level {
    case .memory: return durability.memoryRefusal
    case .fsync: return durability.fsyncRefusal
    case .replica:
      guard durability.fsyncRefusal == nil, isOpen, durability.replicas < settings.replicas else {
        return durability.fsyncRefusal
      }
      let silent = durability.silentReplicas
      return "redis has \(durability.replicas) replicas that follow, not \(settings.replicas)"
        + (silent > 0 ? " (\(silent) silent for \(Durability.replicaSilentSeconds) s or more)" : "")
    case .ledger:
      return durability.fsyncRefusal
        ?? (hasBooks == false ? "no worker has ever read the events of this redis" : nil)
    }
  }

  // MARK: the script

  func run(
    _ command: inout ScriptCommand, swept: [IndexMember], _ completion: @escaping (Outcome) -> Void
  ) {
    sender.sequence += 1
    command.encode(
      from: sender,
      ScriptCommand.Terms(
        placing: placing, retention: retention, setRetention: settings.retention, clock: clock),
      swept: swept)
    let operations = command.count
    let (sequence, sentAt) = (sender.sequence, loop.now)
    // Without `weak`, which costs its object a table beside it: the link lets go of this in any case.
    link.send(command.bytes) { [self] raw in
      guard let raw else { return completion(.unknown) }
      if let error = raw.error { return refused(error, completion) }
      guard let reply = Reply(raw, operations: operations) else {
        logger.error("the script's reply has another shape")
        return completion(.failed)
      }
      let now = monotonicNow()
      clock.heard(reply.now, at: now)
      // A Redis that stood still in the middle of a script may have lost its opening meanwhile.
      if isLeased, now > sentAt + Fence.answerMsMax * 1_000_000 {
        completion(.unknown)
        return link.drop(
          "redis answered after more than \(Fence.answerMsMax) ms: is it still the one?")
      }
      if reply.wrote { sender.answered = sequence }
      completion(.replied(reply))
    }
  }

  /// Takes what Redis has answered by now, before the pass has ended.
  func readNow() { link.readNow() }

  /// Hands the kernel what is on its way to Redis, before the pass has ended.
  func writeNow() { link.endOfPass() }

  private func refused(_ error: String, _ completion: @escaping (Outcome) -> Void) {
    if error.hasPrefix("NOSCRIPT") {
      // Somebody flushed the scripts.  Greeting again loads them; nothing has run.
      completion(.notRun)
      return loadScript { [weak self] failure in
        if let failure { self?.link.drop(failure) } else { self?.changed() }
      }
    }
    for prefix in ["FENCED ", "STALE "] where error.hasPrefix(prefix) {
      // Nothing has run.  Greeting again asks what is wrong with this Redis.
      completion(.notRun)
      let reason = String(error.dropFirst(prefix.count))
      fenced = (.notOpened, reason)
      return link.drop(reason)
    }
    logger.error("redis refused the script", metadata: ["error": "\(error)"])
    // A script that fails by itself answers ERR; Redis's own refusals carry another word, and come
    // before the first write.
    completion(error.hasPrefix("ERR") ? .failed : .refused)
    let refusal = Self.refusalToWrite(error)
    if let refusal { fenced = (.refusing, refusal) }
    link.drop(refusal ?? error)
  }

  /// Read, play, write: one script in six files.
  private static let script = ScriptSource([
    PackageResources.batch_1_read_lua, PackageResources.batch_2_say_lua,
    PackageResources.batch_3_holds_lua, PackageResources.batch_4_sweep_lua,
    PackageResources.batch_5_stock_lua, PackageResources.batch_6_write_lua,
  ]).text

  private func loadScript(_ done: @escaping (String?) -> Void) {
    link.send(["SCRIPT", "LOAD", Self.script]) { [weak self] reply in
      guard let self, let reply else { return done("connection closed") }
      if let error = reply.error { return done(error) }
      sender.sha = reply.text ?? ""
      done(nil)
    }
  }

  // MARK: greeting

  /// Everything that must be true of a Redis before the first batch.
  private func greet(_ link: RedisLink, _ done: @escaping (String?) -> Void) {
    var refusal: String?
    func note(_ reply: RedisReply?) {
      if refusal == nil { refusal = reply == nil ? "connection closed" : reply?.error }
    }
    if let password = settings.address.password {
      link.send(["AUTH"] + [settings.address.user, password].compactMap { $0 }) { note($0) }
    }
    if settings.address.database != 0 {
      link.send(["SELECT", "\(settings.address.database)"]) { note($0) }
    }
    let types = [
      (keys.fence, "hash"), (keys.events, "stream"), (keys.expiry, "zset"), (keys.skus, "zset"),
      (keys.confirmed, "zset"), (keys.released, "zset"), (keys.endedCounts, "hash"),
      (keys.deadEventIDs, "hash"),
    ]
    for (key, type) in types {
      link.send(["TYPE", key]) { reply in
        note(reply)
        if let found = reply?.text, found != "none", found != type, refusal == nil {
          refusal = "WRONGTYPE \(key) is a \(found), not a \(type)"
        }
      }
    }
    if greetings > 0 { sender.lostAt = loop.now }
    greetings += 1
    clock.forget()
    memory.forgetTrend()
    workerSilence.wasNotSeen()
    link.send(["XINFO", "GROUPS", keys.events]) { [weak self] reply in
      // Without a stream it is an error, which has no elements.
      self?.hasBooks = reply.map { Backlog.group(KeySpace.group, in: $0) != nil }
    }
    askForSettings()
    loadScript { [weak self] failure in
      if refusal == nil { refusal = failure }
      guard refusal == nil, let self else { return done(refusal) }
      if let replicaRefusal { return done(replicaRefusal) }
      if durability.mustRewrite { return rewriteFile(link, done) }
      vote(ReplicaNews(), done)
    }
  }

  /// Has Redis write its file anew; the next greeting finds out whether it has.
  private func rewriteFile(_ link: RedisLink, _ done: @escaping (String?) -> Void) {
    let reason = "redis writes its append-only file anew, as after every start"
    guard !durability.isRewriting else { return done(reason) }
    link.send(["BGREWRITEAOF"]) { reply in
      let refusal = reply?.error.map { $0.contains("in progress") ? reason : $0 }
      done(refusal ?? reason)
    }
  }

  /// Asks for everything that the promises and the memory limit depend on.
  func askForSettings() {
    link.send(["CONFIG", "GET"] + Durability.settings) { [weak self] reply in
      guard let self, let reply else { return }
      redisSettings = reply.error == nil ? pairs(reply) : nil
    }
    link.send(["INFO", "server", "memory", "persistence", "replication"]) { [weak self] reply in
      guard let self, let reply, reply.error == nil else { return }
      let info = RedisInfo(reply.text ?? "")
      identify(info)
      judgeDurability(info)
      if let replicaRefusal, isOpen { return link.drop(replicaRefusal) }
      judgeMemory(info)
    }
  }

  private func judgeDurability(_ info: RedisInfo) {
    let before = durability.warnings
    durability.judge(settings: redisSettings, info: info)
    let now = durability.warnings
    for warning in now where !before.contains(warning) {
      if let refusal = refusal(of: settings.acknowledgement) {
        logger.error("ALARM: nothing is sold: \(refusal)")
      } else {
        logger.warning("DEGRADED: \(warning)")
      }
    }
    if now.isEmpty, !before.isEmpty { logger.notice("redis is set as it should be again") }
  }

  private func pairs(_ reply: RedisReply) -> [String: String] {
    var found: [String: String] = [:]
    for place in stride(from: 0, to: reply.count - 1, by: 2) {
      found[reply[place].text ?? ""] = reply[place + 1].text
    }
    return found
  }
}
