/// Asks for the live state of the server.
public struct StateRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = StateReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Diagnostics/State"
  /// Connections that one reply lists: at their longest they take a fifth of a frame.
  public static let connectionsMax = 1_000

  /// Connections to list, of all shards together: 1 to `connectionsMax`.
  public var connectionsMax: Int

  /// Asks for the state, with so many connections.
  public init(connectionsMax: Int = connectionsMax) { self.connectionsMax = connectionsMax }
}

/// The live state of a server.  The names are those of `diagnostics.proto`, which explains them.
public struct StateReply: ReplyMessage, Sendable, Hashable, Encodable {
  /// The process.
  public var process = ProcessState()
  /// The settings in force, without secrets.
  public var settings: [SettingState] = []
  /// In the order of their numbers.
  public var shards: [ShardState] = []
  /// Shards that did not answer in time.
  public var shardsSilent = 0
  /// Of a worker only.
  public var worker: WorkerState?

  /// A state without content.
  public init() {}
}

/// The process of a server.
public struct ProcessState: Sendable, Hashable, Encodable {
  /// "stockd" or "stockworker"; empty: a server of an earlier version did not say.
  public var program = ""
  /// Of the program.
  public var version = ""
  /// The process id.
  public var pid: UInt32 = 0
  /// Milliseconds since its shards were made.
  public var uptimeMs: UInt64 = 0
  /// Memory that it occupies.
  public var rssBytes: UInt64 = 0

  /// A state without content.
  public init() {}
}

/// One setting in force.
public struct SettingState: Sendable, Hashable, Encodable {
  /// As in the file.
  public var name: String
  /// As a user would write it, without secrets.
  public var value: String
  /// Where it came from.
  public var origin: String

  /// A setting from its parts.
  public init(name: String, value: String, origin: String) {
    (self.name, self.value, self.origin) = (name, value, origin)
  }
}

/// One shard.
public struct ShardState: Sendable, Hashable, Encodable {
  /// Counts from 0.
  public var number: UInt32 = 0
  /// Names the shard in the source of its events.
  public var writer = ""
  /// How many are open.
  public var connectionsOpen: UInt64 = 0
  /// How many have been accepted.
  public var connectionsMade: UInt64 = 0
  /// Bytes that they hold: unfinished frames, requests in flight, unread replies.
  public var connectionBytes: UInt64 = 0
  /// How many were closed because those bytes were used up.
  public var connectionsShed: UInt64 = 0
  /// Those with most calls in flight first; not all, when there are many.
  public var connections: [ConnectionState] = []
  /// Every method, called or not.
  public var methods: [MethodState] = []
  /// What waits for Redis.
  public var batch = BatchState()
  /// The link to Redis.
  public var redis = RedisState()

  /// A state without content.
  public init() {}
}

/// One connection.
public struct ConnectionState: Sendable, Hashable, Encodable {
  /// Of its shard.
  public var number: UInt64 = 0
  /// "203.0.113.9" or "uid 1000"
  public var peer = ""
  /// What the peer calls itself; empty: it never said.
  public var client = ""
  /// Milliseconds since it was accepted.
  public var ageMs: UInt64 = 0
  /// Calls without an answer, streams included.
  public var callsInFlight: UInt64 = 0
  /// Streams that are open.
  public var streams: UInt64 = 0
  /// Calls that have come.
  public var callsMade: UInt64 = 0
  /// Bytes that have come.
  public var bytesIn: UInt64 = 0
  /// Bytes that have been sent.
  public var bytesOut: UInt64 = 0
  /// Bytes that are kept for it, as in `ShardState.connectionBytes`.
  public var heldBytes: UInt64 = 0

  /// A state without content.
  public init() {}
}

/// What became of the calls of one method.  Times are nanoseconds.
public struct MethodState: Sendable, Hashable, Encodable {
  /// "stock.v1.Reservations/Reserve"
  public var method = ""
  /// That have ended, however they did.
  public var calls: UInt64 = 0
  /// Those that failed, by code.
  public var failures: [FailureCount] = []
  /// Half of the calls took at most so long, to within a sixteenth.
  public var p50Ns: UInt64 = 0
  /// 99 in 100 took at most so long, to within a sixteenth.
  public var p99Ns: UInt64 = 0
  /// The longest.
  public var maxNs: UInt64 = 0

  /// A state without content.
  public init() {}
}

/// How many calls failed with a code.
public struct FailureCount: Sendable, Hashable, Encodable {
  /// Never OK.
  public var code: Code
  /// How many.
  public var count: UInt64

  /// A count from its parts.
  public init(code: Code, count: UInt64) { (self.code, self.count) = (code, count) }

  private enum CodingKeys: CodingKey { case code, count }

  /// With the name of the code.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(code.name, forKey: .code)
    try container.encode(count, forKey: .count)
  }
}

/// The batch of a shard.
public struct BatchState: Sendable, Hashable, Encodable {
  /// Operations that wait for their turn.
  public var waiting: UInt64 = 0
  /// Operations that are at Redis.
  public var inFlight: UInt64 = 0
  /// Calls of the script that have come back.
  public var scripts: UInt64 = 0
  /// Operations that went with them, those of the expiry sweep included.
  public var operations: UInt64 = 0
  /// Nanoseconds that they took in all, from sending to the reply.
  public var scriptNs: UInt64 = 0

  /// A state without content.
  public init() {}
}

/// The link of a shard to Redis.
public struct RedisState: Sendable, Hashable, Encodable {
  /// It can be used.
  public var open = false
  /// Why it cannot be used; empty when it can.
  public var downReason = ""
  /// What is weaker than promised.
  public var warnings: [String] = []
  /// Why no new holds begin; empty: they do.
  public var holdsRefused = ""

  /// A state without content.
  public init() {}
}
