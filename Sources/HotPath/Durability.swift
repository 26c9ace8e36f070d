/// What a Redis's settings let the server promise.  They are read on every connection, and twice a
/// second from then on.
struct Durability: Equatable {
  /// What is read, and what each must be.
  static let settings = [
    "appendonly", "appendfsync", "no-appendfsync-on-rewrite", "maxmemory-policy",
    "auto-aof-rewrite-percentage", "replica-read-only",
  ]

  /// Why not even MEMORY can be promised; nil: it can.
  private(set) var memoryRefusal: String?
  /// Why FSYNC cannot be promised; nil: it can.
  private(set) var fsyncRefusal: String?
  /// Replicas that are connected and follow, and were heard a moment ago.
  private(set) var replicas = 0
  /// Replicas that are connected, and silent.
  private(set) var silentReplicas = 0
  /// Whom this Redis is a replica of; nil: it is a master.
  private(set) var masterOfReplica: String?
  /// A replica that has not been heard for so many seconds is silent: it speaks every second.
  static let replicaSilentSeconds = 3
  /// What breaks no promise today.
  private var advice: [String] = []
  /// The file was off when it was last looked at.  While Redis makes a new one, what it answers is in no
  /// file that a restart would read.
  private var fileWasOff = false
  /// The process of Redis whose file is known to be whole: it has written it anew since it started.
  ///
  /// A power cut may leave the beginning of a script in the file: MULTI and some of its writes.  Redis
  /// 7.0 does not take it away when it starts, and appends to it; when it starts once more, it joins
  /// that beginning to the next script, and does what nobody was ever told.
  private var wholeRun: Substring?
  /// The file must be written anew before anything is sold.
  private(set) var mustRewrite = false
  /// And it is being written.
  private(set) var isRewriting = false

  /// Everything that is not as it should be.
  private(set) var warnings: [String] = []

  /// - Parameters:
  ///   - settings: what CONFIG GET says; nil: Redis does not let them be read.
  ///   - info: the lines of INFO's sections `server`, `persistence` and `replication`.
  mutating func judge(settings: [String: String]?, info: RedisInfo) {
    advice = []
    judgeReplicas(info)
    defer {
      let second = fsyncRefusal == memoryRefusal ? nil : fsyncRefusal
      warnings = [memoryRefusal, second].compactMap { $0 } + advice
    }
    judgeFile(info, isKept: settings?["appendonly"] == "yes")
    guard let settings else {
      memoryRefusal = nil
      fsyncRefusal = "redis does not let its settings be read (CONFIG GET)"
      return
    }
    let policy = settings["maxmemory-policy"] ?? "?"
    memoryRefusal =
      policy != "noeviction"
      ? "redis may evict holds when its memory is full (maxmemory-policy \(policy))"
      : settings["replica-read-only"] == "no"
        ? "redis would take writes that it forgets when it is made a replica (replica-read-only no)"
        : nil
    fsyncRefusal = memoryRefusal ?? refusalOfFile(settings, info)
    if settings["auto-aof-rewrite-percentage"] == "0" {
      advice.append(
        "redis never makes its append-only file shorter (auto-aof-rewrite-percentage 0): "
          + "it grows until the disk is full")
    }
  }

  private mutating func judgeReplicas(_ info: RedisInfo) {
    masterOfReplica =
      info["role"] == "slave"
      ? "\(info["master_host"] ?? "?"):\(info["master_port"] ?? "?")" : nil
    func count(silent: Bool) -> Int {
      info.count { name, value in
        guard name.hasPrefix("slave"), value.contains("state=online") else { return false }
        let lag = value.split(separator: ",").first { $0.hasPrefix("lag=") }?.dropFirst(4)
        return (lag.flatMap { Int($0) } ?? 0 >= Self.replicaSilentSeconds) == silent
      }
    }
    (replicas, silentReplicas) = (count(silent: false), count(silent: true))
    guard silentReplicas > 0 else { return }
    advice.append(
      "\(silentReplicas) replicas of redis have been silent for \(Self.replicaSilentSeconds) s or more: "
        + "they count for nothing")
  }

  private mutating func judgeFile(_ info: RedisInfo, isKept: Bool) {
    isRewriting =
      info["aof_rewrite_in_progress"] == "1" || info["aof_rewrite_scheduled"] == "1"
    if info["aof_last_rewrite_time_sec"] != "-1", info["aof_last_bgrewrite_status"] == "ok" {
      wholeRun = info["run_id"]
    }
    mustRewrite = isKept && (wholeRun == nil || wholeRun != info["run_id"])
  }

  private mutating func refusalOfFile(
    _ settings: [String: String], _ info: RedisInfo
  ) -> String? {
    guard settings["appendonly"] == "yes" else {
      fileWasOff = true
      return "redis keeps no append-only file (appendonly no): a crash forgets acknowledged holds"
    }
    let isWritten = !isRewriting && info["aof_last_bgrewrite_status"] == "ok"
    fileWasOff = fileWasOff && !isWritten
    if fileWasOff {
      return "redis is still making its append-only file, which has just been switched on"
    }
    let fsync = settings["appendfsync"] ?? "?"
    guard fsync == "always" else {
      return "redis does not sync every write (appendfsync \(fsync)): "
        + "a power cut forgets acknowledged holds"
    }
    guard settings["no-appendfsync-on-rewrite"] == "no" else {
      return "redis does not sync while it rewrites its file (no-appendfsync-on-rewrite yes)"
    }
    return nil
  }
}
