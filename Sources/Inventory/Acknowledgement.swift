/// What must have happened to a change before its caller hears of it, weakest first.  The numbers are
/// those of the wire.
public enum Acknowledgement: UInt8, Sendable, CaseIterable, Comparable {
  /// Redis has it in memory.
  case memory = 1
  /// Redis's disk has it: it survives a crash and a power cut.
  case fsync = 2
  /// And so many replicas as the server is set to have it in memory.
  case replica = 3
  /// `fsync`, and PostgreSQL has committed it.
  case ledger = 4

  /// The name on the wire and in JSON.
  public var name: String {
    switch self {
    case .memory: "MEMORY"
    case .fsync: "FSYNC"
    case .replica: "REPLICA"
    case .ledger: "LEDGER"
    }
  }

  /// The level of that name, in upper or lower case; nil: there is none.
  public init?(name: String) {
    guard let level = Self.allCases.first(where: { $0.name == name.uppercased() }) else {
      return nil
    }
    self = level
  }

  /// Whether the left is weaker.
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}
