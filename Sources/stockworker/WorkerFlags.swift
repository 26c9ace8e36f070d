import Administration
import ArgumentParser
import Audit
import Glibc
import HotPath
import Inventory
import Ledger
import Logging
import Projection
import RPC
import Settings
import Wire

/// The settings of the worker, as flags and as what they come to.
struct WorkerFlags: ParsableArguments {
  @Option(help: "The file with the settings, 'name: value' a line.")
  var config: String?

  @Flag(help: "Print the effective settings and where each came from, and exit.")
  var checkConfig = false

  @Option(
    help: """
      redis://[user:password@]host:port[/db] or unix:/path. \
      [REDIS_URL, default redis://127.0.0.1:6379]
      """)
  var redis: String?

  @Option(
    help: """
      postgresql://[user:password@]host:port/database. \
      [DATABASE_URL, default postgresql:///stockstream]
      """)
  var database: String?

  @Option(
    help: """
      Where to answer: host:port or unix:/path, several with commas between; 'none': nowhere. \
      [STOCK_WORKER_LISTEN, default 127.0.0.1:7421]
      """)
  var listen: String?

  @Option(help: "Mode of a Unix socket, octal. [STOCK_WORKER_SOCKET_MODE, default 660]")
  var socketMode: String?

  @Option(
    help: """
      Owner of a Unix socket: user, user:group or :group. \
      [STOCK_WORKER_SOCKET_OWNER, default as the worker]
      """)
  var socketOwner: String?

  @Option(
    help: """
      Who reads: keep it over a restart, and no two alike. \
      [STOCK_WORKER_NAME, default the host's name]
      """)
  var name: String?

  @Option(
    help: """
      Milliseconds after which entries of a silent worker are taken over. \
      [STOCK_RECLAIM_MS, default 60000]
      """)
  var reclaimAfter: String?

  @Option(
    help: """
      Milliseconds for which applied events stay in the stream. \
      [STOCK_TRIM_WINDOW_MS, default 600000]
      """)
  var trimWindow: String?

  @Option(
    help: """
      Further consumer groups that trimming waits for, with commas between. \
      [STOCK_WAIT_FOR_GROUPS, default none]
      """)
  var waitForGroup: String?

  @Option(
    help: """
      Milliseconds after which a group that is waited for, and does not move, is an alarm. \
      [STOCK_STALLED_MS, default 60000]
      """)
  var stalledAfter: String?

  @Option(
    help: "Bytes of events in one transaction, about. [STOCK_BATCH_BYTES, default 4194304]")
  var batchBytes: String?

  @Option(
    help: """
      Milliseconds for which events gather after a transaction of several; 0: they do not. \
      [STOCK_GATHER_MS, default 10]
      """)
  var gatherMs: String?

  @Option(
    help: """
      Lines from the stream to the books, each with a connection to both stores. \
      [STOCK_LANES, default 2]
      """)
  var lanes: String?

  @Option(
    help: """
      Milliseconds for which Redis remembers finished holds: a rebuild brings no older ones \
      back; the same setting as stockd's. [STOCK_RETENTION_MS, default 86400000]
      """)
  var retentionMs: String?

  @Option(
    help: """
      The same of holds that have expired or were cancelled. \
      [STOCK_RETENTION_RELEASED_MS, default 3600000]
      """)
  var retentionReleasedMs: String?

  @Option(
    help: """
      Milliseconds for which a Redis that has replicas may sell without the books confirming it; no other \
      is opened before.  0: without end, and a person sees to it that only one is a master. \
      [STOCK_LEASE_MS, default 15000]
      """)
  var leaseMs: String?

  @Option(
    help: """
      Milliseconds within which PostgreSQL must answer; for locks a quarter of it. \
      [STOCK_POSTGRES_TIMEOUT_MS, default 20000]
      """)
  var postgresTimeout: String?

  @Option(
    help: """
      Milliseconds after which the audit compares the figures of every SKU again; \
      0: this worker does not audit. [STOCK_AUDIT_EVERY_MS, default 5000]
      """)
  var auditEvery: String?

  @Option(
    help: """
      Holds a second that the audit walks past in each store, at most. \
      [STOCK_AUDIT_RATE, default 20000]
      """)
  var auditRate: String?

  @Option(
    help: """
      Milliseconds within which the audit walks past all holds, also those that ended long ago. \
      [STOCK_AUDIT_LAP_MS, default 86400000, a day]
      """)
  var auditLapMs: String?

  @Option(
    help: "trace, debug, info, notice, warning, error. [STOCK_LOG_LEVEL, default info]")
  var logLevel: String?

  /// Everything that has been checked.
  struct Effective {
    var server: WorkerServer.Settings
    /// nil: this worker does not audit.
    var audit: AuditSettings?
    var logLevel: Logger.Level
  }

  /// - Throws: `ValidationError` that names the place of what cannot work.
  func settings() throws -> (Effective, report: String) {
    do throws(SettingError) {
      var found = try Configuration(file: config, usualFile: "/etc/stockstream/stockworker.conf")
      var settings = Projection.Settings(
        redis: try found.value(of: Self.redis, flag: redis),
        database: try found.value(of: Self.database, flag: database),
        name: try found.value(of: Self.name, flag: name))
      let addresses = try found.value(
        of: .listen(
          variable: "STOCK_WORKER_LISTEN", standard: "127.0.0.1:7421", nowhere: "none"),
        flag: listen)
      let access = SocketAccess(
        mode: try found.value(
          of: .socketMode(variable: "STOCK_WORKER_SOCKET_MODE"), flag: socketMode),
        owner: try found.value(
          of: .socketOwner(variable: "STOCK_WORKER_SOCKET_OWNER"), flag: socketOwner))
      settings.reclaimAfterMs = try found.value(of: Self.reclaimAfter, flag: reclaimAfter)
      settings.trimWindowMs = try found.value(of: Self.trimWindow, flag: trimWindow)
      settings.groups += try found.value(of: Self.waitForGroup, flag: waitForGroup)
      settings.stalledAfterMs = try found.value(of: Self.stalledAfter, flag: stalledAfter)
      settings.batchBytes = try found.value(of: Self.batchBytes, flag: batchBytes)
      settings.gatherMs = try found.value(of: Self.gatherMs, flag: gatherMs)
      settings.lanes = try found.value(of: Self.lanes, flag: lanes)
      settings.leaseMs = try found.value(of: Self.leaseMs, flag: leaseMs)
      settings.retention.confirmedMs = try found.value(of: .retentionMs, flag: retentionMs)
      settings.retention.releasedMs = min(
        settings.retention.confirmedMs,
        try found.value(of: .retentionReleasedMs, flag: retentionReleasedMs))
      settings.limits = Postgres.Limits(
        replyMs: try found.value(of: Self.postgresTimeout, flag: postgresTimeout))
      let audit = try auditSettings(beside: settings, &found)
      let level = try found.value(of: Self.logLevel, flag: logLevel)
      try found.finish()
      var server = WorkerServer.Settings(addresses: addresses, projection: settings)
      server.socketAccess = access
      server.inForce = found.inForce.map {
        SettingState(name: $0.name, value: $0.value, origin: "\($0.origin)")
      }
      return (Effective(server: server, audit: audit, logLevel: level), found.report)
    } catch {
      throw ValidationError(error.description)
    }
  }

  /// nil: this worker does not audit.
  private func auditSettings(
    beside settings: Projection.Settings, _ found: inout Configuration
  ) throws(SettingError) -> AuditSettings? {
    var audit = AuditSettings(
      redis: settings.redis, database: settings.database, name: settings.name)
    audit.limits = settings.limits
    audit.everyMs = try found.value(of: Self.auditEvery, flag: auditEvery)
    audit.holdsPerSecond = try found.value(of: Self.auditRate, flag: auditRate)
    audit.lapMs = try found.value(of: Self.auditLapMs, flag: auditLapMs)
    return audit.everyMs == 0 ? nil : audit
  }

  private static var redis: Setting<RedisAddress> {
    Setting(
      "redis", variable: "REDIS_URL", standard: "redis://127.0.0.1:6379",
      rule: "redis://[user:password@]host:port[/db] or unix:/path", parse: { RedisAddress($0) },
      isSecret: { $0.password != nil })
  }

  private static var database: Setting<DatabaseAddress> {
    Setting(
      "database", variable: "DATABASE_URL", standard: "postgresql:///stockstream",
      rule: "a PostgreSQL address", parse: { DatabaseAddress($0) },
      isSecret: { $0.hasPassword })
  }

  private static var name: Setting<String> {
    Setting(
      "name", variable: "STOCK_WORKER_NAME", standard: hostName(), rule: "1 to 128 bytes",
      parse: { (1...128).contains($0.utf8.count) ? $0 : nil })
  }

  private static var reclaimAfter: Setting<UInt64> {
    .number(
      "reclaim-after", variable: "STOCK_RECLAIM_MS",
      standard: ProjectionLimits.reclaimAfterMsDefault, in: 100...86_400_000,
      unit: "milliseconds")
  }

  private static var trimWindow: Setting<UInt64> {
    .number(
      "trim-window", variable: "STOCK_TRIM_WINDOW_MS",
      standard: ProjectionLimits.trimWindowMsDefault, in: 0...(30 * 86_400_000),
      unit: "milliseconds")
  }

  private static var waitForGroup: Setting<[String]> {
    Setting(
      "wait-for-group", variable: "STOCK_WAIT_FOR_GROUPS", standard: "",
      rule: "names with commas between",
      parse: { $0.split(separator: ",").map { String($0.drop { $0 == " " }) } },
      show: { $0.joined(separator: ",") })
  }

  private static var stalledAfter: Setting<UInt64> {
    .number(
      "stalled-after", variable: "STOCK_STALLED_MS",
      standard: ProjectionLimits.stalledAfterMsDefault, in: 100...86_400_000,
      unit: "milliseconds")
  }

  private static var batchBytes: Setting<Int> {
    .number(
      "batch-bytes", variable: "STOCK_BATCH_BYTES",
      standard: ProjectionLimits.batchBytesDefault, in: 1...ProjectionLimits.batchBytesMax,
      unit: "bytes")
  }

  private static var gatherMs: Setting<UInt64> {
    .number(
      "gather-ms", variable: "STOCK_GATHER_MS", standard: ProjectionLimits.gatherMsDefault,
      in: 0...ProjectionLimits.gatherMsMax, unit: "milliseconds")
  }

  private static var lanes: Setting<Int> {
    .number(
      "lanes", variable: "STOCK_LANES", standard: ProjectionLimits.lanesDefault,
      in: 1...ProjectionLimits.lanesMax, unit: "lanes")
  }

  private static var leaseMs: Setting<UInt64> {
    let range = ProjectionLimits.leaseMs
    return Setting(
      "lease-ms", variable: "STOCK_LEASE_MS", standard: "\(Lease.msDefault)",
      rule: "\(range.lowerBound) to \(range.upperBound) milliseconds, or 0",
      parse: { text in
        UInt64(text).flatMap { $0 == 0 || range.contains($0) ? $0 : nil }
      })
  }

  private static var postgresTimeout: Setting<Int> {
    .number(
      "postgres-timeout", variable: "STOCK_POSTGRES_TIMEOUT_MS",
      standard: ProjectionLimits.postgresTimeoutMsDefault, in: 100...600_000,
      unit: "milliseconds")
  }

  private static var auditEvery: Setting<UInt64> {
    .number(
      "audit-every", variable: "STOCK_AUDIT_EVERY_MS", standard: AuditLimits.everyMsDefault,
      in: 0...3_600_000, unit: "milliseconds (0: this worker does not audit)")
  }

  private static var auditRate: Setting<UInt64> {
    .number(
      "audit-rate", variable: "STOCK_AUDIT_RATE", standard: AuditLimits.holdsPerSecondDefault,
      in: 100...1_000_000, unit: "holds a second")
  }

  private static var auditLapMs: Setting<UInt64> {
    .number(
      "audit-lap-ms", variable: "STOCK_AUDIT_LAP_MS", standard: AuditLimits.lapMsDefault,
      in: AuditLimits.lapMs, unit: "milliseconds (one minute to a day)")
  }

  private static var logLevel: Setting<Logger.Level> {
    Setting(
      "log-level", variable: "STOCK_LOG_LEVEL", standard: "info",
      rule: "trace, debug, info, notice, warning or error", parse: { Logger.Level(rawValue: $0) },
      show: { $0.rawValue })
  }
}

private func hostName() -> String {
  var bytes = [CChar](repeating: 0, count: 256)
  guard gethostname(&bytes, bytes.count - 1) == 0 else { return "stockworker" }
  return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
