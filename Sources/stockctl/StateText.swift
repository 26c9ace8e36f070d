import Wire

/// The state of a server as a person reads it.
struct StateText {
  private let state: StateReply

  init(_ state: StateReply) { self.state = state }

  func lines(width: Int?) -> [String] {
    let process = state.process
    let program = process.program.isEmpty ? "stockd" : process.program
    let heading =
      "\(program) \(process.version), pid \(process.pid), up \(Self.age(process.uptimeMs)), "
      + Self.size(process.rssBytes)
    var parts: [[String]] = [[heading] + troubles]
    parts.append(state.worker.map { WorkerText($0).lines } ?? shards.lines(width: width))
    parts.append(methods.lines(width: width))
    parts.append(connections.lines(width: width) + unlisted)
    parts.append(settings.lines(width: width))
    return Array(parts.filter { !$0.isEmpty }.joined(separator: [""]))
  }

  private var troubles: [String] {
    var lines: [String] = []
    guard state.worker == nil else { return lines }
    if state.shardsSilent > 0 {
      lines.append("\(state.shardsSilent.counted("shard")) did not answer")
    }
    for shard in state.shards {
      let redis = shard.redis
      if shard.connectionsShed > 0 {
        lines.append(
          "shard \(shard.number): closed for their memory: \(shard.connectionsShed.counted("connection"))"
        )
      }
      for trouble in [redis.downReason, redis.holdsRefused] + redis.warnings where !trouble.isEmpty
      {
        lines.append("shard \(shard.number): \(trouble)")
      }
    }
    return lines
  }

  private var shards: Table {
    var table = Table(
      [
        "shard", "redis", "conns", "held", "waiting", "at redis", "scripts", "ops/script",
        "ms/script",
      ],
      numeric: [0, 2, 3, 4, 5, 6, 7, 8])
    for shard in state.shards {
      let batch = shard.batch
      let scripts = Double(max(batch.scripts, 1))
      table.add([
        "\(shard.number)", shard.redis.open ? "open" : "down", "\(shard.connectionsOpen)",
        Self.size(shard.connectionBytes), "\(batch.waiting)", "\(batch.inFlight)",
        "\(batch.scripts)",
        Self.decimals(Double(batch.operations) / scripts, 1),
        Self.ms(Double(batch.scriptNs) / scripts),
      ])
    }
    return table
  }

  /// Those that have been called.
  private var methods: Table {
    var table = Table(
      ["shard", "method", "calls", "p50 ms", "p99 ms", "max ms", "failures"],
      numeric: [0, 2, 3, 4, 5])
    for shard in state.shards {
      for method in shard.methods where method.calls > 0 {
        table.add([
          "\(shard.number)", Self.short(method.method), "\(method.calls)",
          Self.ms(Double(method.p50Ns)), Self.ms(Double(method.p99Ns)),
          Self.ms(Double(method.maxNs)),
          method.failures.map { "\($0.code.name) \($0.count)" }.joined(separator: ", "),
        ])
      }
    }
    return table
  }

  private var connections: Table {
    var table = Table(
      ["shard", "conn", "peer", "client", "age", "busy", "streams", "calls", "in", "out"],
      numeric: [0, 1, 4, 5, 6, 7, 8, 9])
    for shard in state.shards {
      for connection in shard.connections {
        table.add([
          "\(shard.number)", "\(connection.number)", connection.peer, connection.client,
          Self.age(connection.ageMs), "\(connection.callsInFlight)", "\(connection.streams)",
          "\(connection.callsMade)", Self.size(connection.bytesIn),
          Self.size(connection.bytesOut),
        ])
      }
    }
    return table
  }

  private var unlisted: [String] {
    let open = state.shards.reduce(0) { $0 + Int($1.connectionsOpen) }
    let listed = state.shards.reduce(0) { $0 + $1.connections.count }
    return open > listed ? ["and \(open - listed) more connections"] : []
  }

  private var settings: Table {
    var table = Table(["setting", "value", "from"])
    for setting in state.settings { table.add([setting.name, setting.value, setting.origin]) }
    return table
  }

  /// Without what all have in common.
  private static func short(_ method: String) -> String {
    method.hasPrefix("stock.v1.") ? String(method.dropFirst(9)) : method
  }

  private static func ms(_ nanoseconds: Double) -> String { decimals(nanoseconds / 1_000_000, 3) }

  private static func decimals(_ number: Double, _ digits: Int) -> String {
    let scale = digits == 1 ? 10.0 : 1_000.0
    let whole = Int((number * scale).rounded())
    let rest = String(whole % Int(scale))
    return "\(whole / Int(scale))." + String(repeating: "0", count: digits - rest.count) + rest
  }

  static func age(_ ms: UInt64) -> String {
    let seconds = ms / 1_000
    switch seconds {
    case ..<120: return "\(seconds) s"
    case ..<7_200: return "\(seconds / 60) min"
    case ..<172_800: return "\(seconds / 3_600) h"
    default: return "\(seconds / 86_400) d"
    }
  }

  private static func size(_ bytes: UInt64) -> String {
    switch bytes {
    case ..<10_000: "\(bytes) B"
    case ..<10_000_000: "\(bytes / 1_000) kB"
    case ..<10_000_000_000: "\(bytes / 1_000_000) MB"
    default: "\(bytes / 1_000_000_000) GB"
    }
  }
}
