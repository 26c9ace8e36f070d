public import HotPath

/// What an audit has found.
public struct AuditReport: Sendable {
  /// What it comes to.
  public enum Verdict: String, Sendable {
    /// All that was compared agrees, or a dead letter explains it.
    case balanced = "BALANCED"
    /// Something differs.
    case differs = "DIFFERS"
    /// Something could not be compared; `undecided` says why.  Differences that were found count.
    case undecided = "UNDECIDED"
  }

  /// Redis's clock at the end, in milliseconds since 1970.
  public internal(set) var at: UInt64 = 0
  /// The newest entry of the stream that was compared; 0-0: none.
  public internal(set) var upTo = StreamID(ms: 0, sequence: 0)
  /// Why something could not be compared yet, for a person; nil: everything was.
  public internal(set) var undecided: String?
  /// At most `AuditLimits.differencesMax`, sorted by SKU, hold and kind.
  public internal(set) var differences: [Difference] = []
  /// How many of each kind there are, without those that are explained; sorted by kind.
  public internal(set) var counts: [(kind: Difference.Kind, count: Int)] = []
  /// How many differences an open dead letter explains.
  public internal(set) var explained = 0
  /// SKUs whose figures were compared.
  public internal(set) var skus = 0
  /// Records of holds in Redis that were compared.
  public internal(set) var records = 0
  /// Rows of holds in the books that were compared.
  public internal(set) var rows = 0
  /// How long the last look at all of them took.
  public internal(set) var tookMs: UInt64 = 0

  /// Differences that nothing explains.
  public var count: Int { counts.reduce(0) { $0 + $1.count } }

  /// What it comes to.
  public var verdict: Verdict {
    if undecided != nil { return .undecided }
    return count == 0 ? .balanced : .differs
  }
}

/// Why an audit or a repair could not be done.  The texts are for the log.
public enum AuditFault: Error, Sendable, CustomStringConvertible {
  /// Redis cannot be reached, or refuses.
  case redis(String)
  /// PostgreSQL cannot be reached, or refuses.
  case books(String)
  /// A store went away, or refused, when entries of a repair may have been written: the next plan has
  /// what is left.
  indirect case interrupted(AuditFault)
  /// Redis refuses to write, and nothing was written.
  case storeRefuses(String)
  /// Another repair is under way.
  case busy
  /// The plan is not the one that was confirmed: look at this one.
  case planChanged(RepairPlan)
  /// The plan must not be carried out; it says why.
  case refused(RepairPlan)

  /// For the log.
  public var description: String {
    switch self {
    case .redis(let reason): "redis: \(reason)"
    case .books(let reason): "postgresql: \(reason)"
    case .interrupted(let fault): fault.description
    case .storeRefuses(let reason): "redis: \(reason)"
    case .busy: "another repair is under way"
    case .planChanged(let plan): "the plan is now \(plan.id)"
    case .refused(let plan): plan.refusals.joined(separator: "; ")
    }
  }
}

extension AuditFault {
  /// The same without the store's own words.
  var forCallers: String {
    if case .books = self { return "the books cannot be reached" }
    return "the stock store cannot be reached"
  }

  /// What went wrong with a store.
  init(_ error: any Error) {
    switch error {
    case let fault as AuditFault: self = fault
    case let fault as StreamFault: self = .redis(fault.description)
    default: self = .books("\(error)")
    }
  }
}
