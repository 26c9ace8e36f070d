/// Something in which Redis and the books differ.  The names are those of `audit.proto`.
public struct DifferenceInfo: Sendable, Hashable {
  /// "COUNTER_DRIFT" …
  public var kind: String
  /// The SKU that it is about.
  public var sku: String
  /// The hold that it is about; empty: it is about the SKU.
  public var hold: String
  /// What stands where, for a person.
  public var found: String
  /// Dead letters that explain it; none: nothing does.
  public var letters: [String]

  /// A difference from its parts.
  public init(kind: String, sku: String, hold: String, found: String, letters: [String]) {
    (self.kind, self.sku, self.hold) = (kind, sku, hold)
    (self.found, self.letters) = (found, letters)
  }
}

/// Asks to compare everything in both stores.
public struct RunAuditRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = RunAuditReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Audit/Run"

  /// `RunAuditReply.run` of the answer before; 0: a new audit.
  public var run: UInt64

  /// A request from its parts.
  public init(run: UInt64 = 0) { self.run = run }
}

/// What an audit has found.
public struct RunAuditReply: ReplyMessage, Sendable, Hashable {
  /// How many differences of one kind there are.
  public struct Count: Sendable, Hashable {
    /// "COUNTER_DRIFT" …
    public var kind: String
    /// Without those that dead letters explain.
    public var count: Int

    /// A count from its parts.
    public init(kind: String, count: Int) { (self.kind, self.count) = (kind, count) }
  }

  /// "BALANCED", "DIFFERS" or "UNDECIDED"
  public var verdict = ""
  /// Why something could not be compared yet; empty: everything was.
  public var undecided = ""
  /// Milliseconds since 1970, by Redis's clock.
  public var at: Int64 = 0
  /// The newest entry of the stream that was compared.
  public var upTo = ""
  /// At most 1,000; all are counted.
  public var differences: [DifferenceInfo] = []
  /// How many of each kind there are.
  public var counts: [Count] = []
  /// How many dead letters explain.
  public var explained = 0
  /// SKUs whose figures were compared.
  public var skus = 0
  /// Records of holds in Redis that were compared.
  public var records = 0
  /// Rows of holds in the books that were compared.
  public var rows = 0
  /// How long it took, in milliseconds.
  public var tookMs: UInt64 = 0
  /// Not 0: the audit is still under way; ask again with this.
  public var run: UInt64 = 0

  /// A reply without content.
  public init() {}
}

/// Asks what differs about one SKU, and what a repair would write.
public struct PlanRepairRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = PlanRepairReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Audit/Plan"

  /// The SKU; the worker checks it.
  public var sku: String

  /// Asks about one SKU.
  public init(sku: String) { self.sku = sku }
}

/// The dry run of a repair.
public struct PlanRepairReply: ReplyMessage, Sendable, Hashable {
  /// Names these entries, for `RepairRequest`.
  public var plan = ""
  /// What differs.
  public var differences: [DifferenceInfo] = []
  /// What would be written, a line each.
  public var entries: [String] = []
  /// Why it must not be; empty: it may.
  public var refusals: [String] = []
  /// What else a person should know or do.
  public var advice: [String] = []

  /// A reply without content.
  public init() {}
}

/// Asks to carry out a plan.
public struct RepairRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = RepairReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Audit/Repair"

  /// The SKU; the worker checks it.
  public var sku: String
  /// Of the dry run.
  public var plan: String
  /// Who, 1 to 128 bytes.
  public var actor: String
  /// Why, 1 to 128 bytes.
  public var reason: String

  /// A request from its parts.
  public init(sku: String, plan: String, actor: String, reason: String) {
    (self.sku, self.plan, self.actor, self.reason) = (sku, plan, actor, reason)
  }
}

/// What became of a repair.
public struct RepairReply: ReplyMessage, Sendable, Hashable {
  /// A line for each entry that was written, with its place in the stream.
  public var written: [String] = []
  /// The entry before which it stopped, since something had changed; empty: all were written.
  public var stoppedAt = ""
  /// Why nobody can tell yet whether it has helped; empty: `left` says.
  public var undecided = ""
  /// What differs still.
  public var left: [DifferenceInfo] = []

  /// A reply without content.
  public init() {}
}
