import CStockProto

/// How far a worker is.  The names are those of `diagnostics.proto`.
public struct WorkerState: Sendable, Hashable, Encodable {
  /// Who reads the stream.
  public var name = ""
  /// Lines from the stream to the books.
  public var lanes: UInt32 = 0
  /// The tables and the consumer group are there.
  public var ready = false
  /// Why Redis cannot be reached; empty: it can.
  public var redisDown = ""
  /// Why PostgreSQL cannot be reached; empty: it can.
  public var postgresDown = ""
  /// Entries that were not handed out yet.
  public var lagEntries: UInt64 = 0
  /// Entries that were handed out and not acknowledged.
  public var pendingEntries: UInt64 = 0
  /// How long the oldest of both has waited, in milliseconds.
  public var oldestAgeMs: UInt64 = 0
  /// Up to this stream id all is applied or dead; empty: nobody has looked yet.
  public var appliedTo = ""
  /// Entries of the stream.
  public var streamEntries: UInt64 = 0
  /// Events that could not be applied.
  public var deadLetters: UInt64 = 0
  /// Groups that nobody waits for.
  public var unknownGroups: [String] = []
  /// Groups that are waited for and do not exist.
  public var missingGroups: [String] = []
  /// Groups that are waited for and do not move.
  public var stalledGroups: [String] = []
  /// What the continuous audit said last; nil: none has yet.
  public var audit: AuditState?

  /// A state without content.
  public init() {}
}

extension WorkerState {
  func message(_ arena: Arena) -> Stock__V1__WorkerState {
    var message = Stock__V1__WorkerState()
    stock__v1__worker_state__init(&message)
    message.name = arena.bytes(name)
    message.lanes = lanes
    message.ready = ready ? 1 : 0
    message.redis_down = arena.bytes(redisDown)
    message.postgres_down = arena.bytes(postgresDown)
    message.lag_entries = lagEntries
    message.pending_entries = pendingEntries
    message.oldest_age_ms = oldestAgeMs
    message.applied_to = arena.bytes(appliedTo)
    message.stream_entries = streamEntries
    message.dead_letters = deadLetters
    message.n_unknown_groups = unknownGroups.count
    message.unknown_groups = arena.list(unknownGroups.map { arena.bytes($0) })
    message.n_missing_groups = missingGroups.count
    message.missing_groups = arena.list(missingGroups.map { arena.bytes($0) })
    message.n_stalled_groups = stalledGroups.count
    message.stalled_groups = arena.list(stalledGroups.map { arena.bytes($0) })
    message.audit = audit.map { arena.place($0.message(arena)) }
    return message
  }

  init(_ message: Stock__V1__WorkerState) {
    name = message.name.text
    lanes = message.lanes
    ready = message.ready != 0
    redisDown = message.redis_down.text
    postgresDown = message.postgres_down.text
    lagEntries = message.lag_entries
    pendingEntries = message.pending_entries
    oldestAgeMs = message.oldest_age_ms
    appliedTo = message.applied_to.text
    streamEntries = message.stream_entries
    deadLetters = message.dead_letters
    unknownGroups = texts(message.n_unknown_groups, message.unknown_groups)
    missingGroups = texts(message.n_missing_groups, message.missing_groups)
    stalledGroups = texts(message.n_stalled_groups, message.stalled_groups)
    audit = message.audit.map { AuditState($0.pointee) }
  }
}

/// What the continuous audit said last.
public struct AuditState: Sendable, Hashable, Encodable {
  /// "BALANCED", "DIFFERS" or "UNDECIDED"
  public var verdict = ""
  /// How many, without those that dead letters explain.
  public var differences: UInt64 = 0
  /// "COUNTER_DRIFT=1 ORDER_MISSING=2"
  public var kinds = ""
  /// How many dead letters explain.
  public var explained: UInt64 = 0
  /// Why something could not be compared yet.
  public var undecided = ""
  /// Which worker audits.
  public var worker = ""
  /// Milliseconds since 1970, by Redis's clock.
  public var at: Int64 = 0

  /// A state without content.
  public init() {}

  fileprivate func message(_ arena: Arena) -> Stock__V1__AuditState {
    var message = Stock__V1__AuditState()
    stock__v1__audit_state__init(&message)
    message.verdict = arena.bytes(verdict)
    message.differences = differences
    message.kinds = arena.bytes(kinds)
    message.explained = explained
    message.undecided = arena.bytes(undecided)
    message.worker = arena.bytes(worker)
    message.at = at
    return message
  }

  fileprivate init(_ message: Stock__V1__AuditState) {
    verdict = message.verdict.text
    differences = message.differences
    kinds = message.kinds.text
    explained = message.explained
    undecided = message.undecided.text
    worker = message.worker.text
    at = message.at
  }
}

/// A repeated field of texts.
func texts(_ count: Int, _ list: UnsafeMutablePointer<ProtobufCBinaryData>?) -> [String] {
  (0..<count).compactMap { list?[$0].text }
}
