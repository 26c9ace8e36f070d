import ArgumentParser
import HotPath
import Inventory
import Logging
import RPC
import Reservations
import Settings
import Wire

/// The settings of the server, as flags and as what they come to.
struct ServerFlags: ParsableArguments {
  @Option(help: "The file with the settings, 'name: value' a line.")
  var config: String?

  @Flag(help: "Print the effective settings and where each came from, and exit.")
  var checkConfig = false

  @Option(
    help: """
      Where to listen: host:port or unix:/path, several with commas between. \
      [STOCK_LISTEN, default 127.0.0.1:7420]
      """)
  var listen: String?

  @Option(help: "Mode of a Unix socket, octal. [STOCK_SOCKET_MODE, default 660]")
  var socketMode: String?

  @Option(
    help: """
      Owner of a Unix socket: user, user:group or :group. \
      [STOCK_SOCKET_OWNER, default as the server]
      """)
  var socketOwner: String?

  @Option(
    help: """
      redis://[user:password@]host:port[/db] or unix:/path. \
      [REDIS_URL, default redis://127.0.0.1:6379]
      """)
  var redis: String?

  @Option(help: "Shards; 0: one for every two cores. [STOCK_SHARDS, default 0]")
  var shards: String?

  @Option(
    help: """
      Life of a hold whose caller names none, in milliseconds. \
      [STOCK_HOLD_MS, default 300000]
      """)
  var holdMs: String?

  @Option(
    help: """
      How long Redis remembers a confirmed hold, in milliseconds. \
      [STOCK_RETENTION_MS, default 86400000]
      """)
  var retentionMs: String?

  @Option(
    help: """
      How long Redis remembers a hold that has expired or was cancelled, in milliseconds; at most as \
      long as a confirmed one. [STOCK_RETENTION_RELEASED_MS, default 3600000]
      """)
  var retentionReleasedMs: String?

  @Option(
    help: """
      How long Redis remembers what has ended at least, in milliseconds, however short its memory is. \
      [STOCK_RETENTION_FLOOR_MS, default 300000]
      """)
  var retentionFloorMs: String?

  @Option(
    help: """
      How long Redis keeps all of an ended hold, in milliseconds: after that, and once it is in the \
      books, its id, state and times. [STOCK_SETTLE_MS, default 60000]
      """)
  var settleMs: String?

  @Option(
    help: """
      What must have happened to a change before it is acknowledged, where the caller does not say: \
      memory, fsync, replica or ledger. [STOCK_ACKNOWLEDGE, default fsync]
      """)
  var acknowledge: String?

  @Option(
    help: """
      Replicas of Redis that must have a change before it is acknowledged at REPLICA. \
      [STOCK_REPLICAS, default 1]
      """)
  var replicas: String?

  @Option(help: "Connections of a shard at once. [STOCK_CONNECTIONS_MAX, default 10000]")
  var connectionsMax: String?

  @Option(
    help: """
      Connections of one address, or of one user on a Unix socket, with a shard at once. \
      [STOCK_CONNECTIONS_PER_PEER_MAX, default 1000]
      """)
  var connectionsPerPeerMax: String?

  @Option(
    help: """
      Bytes of unfinished requests, requests in flight and unread replies that a shard holds; \
      beyond it the connections that hold most are closed. \
      [STOCK_CONNECTION_BYTES_MAX, default 268435456]
      """)
  var connectionBytesMax: String?

  @Option(
    help: """
      A connection without calls is closed after so many milliseconds; 0: never. \
      [STOCK_CONNECTION_IDLE_MS, default 1800000]
      """)
  var connectionIdleMs: String?

  @Option(
    help: """
      A connection is closed after so many milliseconds, in order; 0: never. \
      [STOCK_CONNECTION_AGE_MS, default 0]
      """)
  var connectionAgeMs: String?

  @Option(
    help: """
      Bytes of events that may wait for the books before new holds are refused; \
      0: half of Redis's memory limit. [STOCK_BACKLOG_BYTES, default 0]
      """)
  var backlogBytes: String?

  @Option(
    help: """
      'required': sell only from a Redis that a worker has opened after comparing it with the books; \
      'off': from any. [STOCK_FENCE, default required]
      """)
  var fence: String?

  @Option(
    help: """
      Milliseconds without a word of any worker after which health is DEGRADED. \
      [STOCK_WORKER_SILENT_MS, default 10000]
      """)
  var workerSilentMs: String?

  @Option(
    help: """
      A call that takes longer is logged, in milliseconds; 0: none is. \
      [STOCK_SLOW_CALL_MS, default 1000]
      """)
  var slowCallMs: String?

  @Option(
    help: "trace, debug, info, notice, warning, error. [STOCK_LOG_LEVEL, default info]")
  var logLevel: String?

  /// Everything that has been checked.
  struct Effective {
    var shard: Shard.Settings
    var shards: Int
    var logLevel: Logger.Level
  }

  /// - Throws: `ValidationError` that names the place of what cannot work.
  func settings() throws -> (Effective, report: String) {
    do throws(SettingError) {
      var found = try Configuration(file: config, usualFile: "/etc/stockstream/stockd.conf")
      let addresses = try found.value(
        of: .listen(variable: "STOCK_LISTEN", standard: "127.0.0.1:7420"), flag: listen)
      let access = SocketAccess(
        mode: try found.value(of: .socketMode(variable: "STOCK_SOCKET_MODE"), flag: socketMode),
        owner: try found.value(of: .socketOwner(variable: "STOCK_SOCKET_OWNER"), flag: socketOwner))
      var store = Store.Settings(address: try found.value(of: Self.redis, flag: redis))
      let shards = try found.value(of: Self.shards, flag: shards)
      let holdMs = try found.value(of: Self.holdMs, flag: holdMs)
      store.retention.confirmedMs = try found.value(of: .retentionMs, flag: retentionMs)
      store.retention.releasedMs = min(
        store.retention.confirmedMs,
        try found.value(of: .retentionReleasedMs, flag: retentionReleasedMs))
      store.retentionFloorMs = try found.value(of: Self.retentionFloorMs, flag: retentionFloorMs)
      store.retention.settleMs = try found.value(of: Self.settleMs, flag: settleMs)
      store.backlogBytesMax = try found.value(of: Self.backlogBytes, flag: backlogBytes)
      store.acknowledgement = try found.value(of: Self.acknowledge, flag: acknowledge)
      store.replicas = try found.value(of: Self.replicas, flag: replicas)
      store.isFenced = try found.value(of: Self.fence, flag: fence)
      store.workerSilentMs = try found.value(of: Self.workerSilentMs, flag: workerSilentMs)
      var server = Server.Terms()
      server.connectionsMax = try found.value(of: Self.connectionsMax, flag: connectionsMax)
      server.connectionsPerPeerMax = try found.value(
        of: Self.connectionsPerPeerMax, flag: connectionsPerPeerMax)
      server.connectionBytesMax = try found.value(
        of: Self.connectionBytesMax, flag: connectionBytesMax)
      server.idleMs = try found.value(of: Self.connectionIdleMs, flag: connectionIdleMs)
      server.ageMs = try found.value(of: Self.connectionAgeMs, flag: connectionAgeMs)
      server.name = "stockd/\(Release.version)"
      let slowCallMs = try found.value(of: Self.slowCallMs, flag: slowCallMs)
      let level = try found.value(of: Self.logLevel, flag: logLevel)
      try found.finish()
      var shard = Shard.Settings(addresses: addresses, store: store)
      shard.holdMsDefault = holdMs
      shard.socketAccess = access
      shard.server = server
      shard.slowCallMs = slowCallMs
      shard.inForce = found.inForce.map {
        SettingState(name: $0.name, value: $0.value, origin: "\($0.origin)")
      }
      return (Effective(shard: shard, shards: shards, logLevel: level), found.report)
    } catch {
      throw ValidationError(error.description)
    }
  }

  private static var redis: Setting<RedisAddress> {
    Setting(
      "redis", variable: "REDIS_URL", standard: "redis://127.0.0.1:6379",
      rule: "redis://[user:password@]host:port[/db] or unix:/path", parse: { RedisAddress($0) },
      isSecret: { $0.password != nil })
  }

  private static var shards: Setting<Int> {
    .number("shards", variable: "STOCK_SHARDS", standard: 0, in: 0...64, unit: "shards")
  }

  private static var holdMs: Setting<UInt64> {
    .number(
      "hold-ms", variable: "STOCK_HOLD_MS", standard: Limits.holdMsDefault,
      in: Limits.holdMsMin...Limits.holdMsMax, unit: "milliseconds")
  }

  private static var retentionFloorMs: Setting<UInt64> {
    .number(
      "retention-floor-ms", variable: "STOCK_RETENTION_FLOOR_MS",
      standard: Limits.retentionFloorMsDefault, in: 1_000...Limits.retentionMs.upperBound,
      unit: "milliseconds (one second to ninety days)")
  }

  private static var settleMs: Setting<UInt64> {
    .number(
      "settle-ms", variable: "STOCK_SETTLE_MS", standard: Limits.settleMsDefault,
      in: 1_000...Limits.retentionMs.upperBound,
      unit: "milliseconds (one second to ninety days)")
  }

  private static var acknowledge: Setting<Acknowledgement> {
    Setting(
      "acknowledge", variable: "STOCK_ACKNOWLEDGE", standard: "fsync",
      rule: "memory, fsync, replica or ledger", parse: { Acknowledgement(name: $0) },
      show: { $0.name.lowercased() })
  }

  private static var replicas: Setting<Int> {
    .number("replicas", variable: "STOCK_REPLICAS", standard: 1, in: 1...16, unit: "replicas")
  }

  private static var connectionsMax: Setting<Int> {
    .number(
      "connections-max", variable: "STOCK_CONNECTIONS_MAX", standard: RPCLimits.connectionsMax,
      in: 1...1_000_000, unit: "connections")
  }

  private static var connectionsPerPeerMax: Setting<Int> {
    .number(
      "connections-per-peer-max", variable: "STOCK_CONNECTIONS_PER_PEER_MAX",
      standard: RPCLimits.connectionsPerPeerMax, in: 1...1_000_000, unit: "connections")
  }

  /// At least what one connection may hold for itself, with room.
  private static var connectionBytesMax: Setting<Int> {
    .number(
      "connection-bytes-max", variable: "STOCK_CONNECTION_BYTES_MAX",
      standard: RPCLimits.connectionBytesMax, in: 32 * 1024 * 1024...1_099_511_627_776,
      unit: "bytes (32 MiB to 1 TiB)")
  }

  private static var connectionIdleMs: Setting<UInt64> {
    .number(
      "connection-idle-ms", variable: "STOCK_CONNECTION_IDLE_MS",
      standard: RPCLimits.idleMsDefault, in: 0...(7 * 86_400_000), unit: "milliseconds")
  }

  private static var connectionAgeMs: Setting<UInt64> {
    .number(
      "connection-age-ms", variable: "STOCK_CONNECTION_AGE_MS", standard: 0,
      in: 0...(365 * 86_400_000), unit: "milliseconds")
  }

  private static var backlogBytes: Setting<Int64> {
    .number(
      "backlog-bytes", variable: "STOCK_BACKLOG_BYTES", standard: 0,
      in: 0...1_099_511_627_776, unit: "bytes")
  }

  private static var fence: Setting<Bool> {
    Setting(
      "fence", variable: "STOCK_FENCE", standard: "required", rule: "required or off",
      parse: { ["required": true, "off": false][$0] }, show: { $0 ? "required" : "off" })
  }

  private static var workerSilentMs: Setting<UInt64> {
    .number(
      "worker-silent-ms", variable: "STOCK_WORKER_SILENT_MS", standard: 10_000,
      in: 3_000...3_600_000, unit: "milliseconds (three seconds to one hour)")
  }

  private static var slowCallMs: Setting<UInt64> {
    .number(
      "slow-call-ms", variable: "STOCK_SLOW_CALL_MS", standard: CallLog.slowMsDefault,
      in: 0...UInt64(RPCLimits.timeoutMsMax), unit: "milliseconds")
  }

  private static var logLevel: Setting<Logger.Level> {
    Setting(
      "log-level", variable: "STOCK_LOG_LEVEL", standard: "info",
      rule: "trace, debug, info, notice, warning or error", parse: { Logger.Level(rawValue: $0) },
      show: { $0.rawValue })
  }
}
