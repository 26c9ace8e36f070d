public import Inventory

/// Every key in Redis, in one place.  A person can read all of them.
public struct KeySpace: Sendable {
  /// The consumer group that writes the books.
  public static let group = "inventory.cg"

  /// Empty on one Redis; "{p}" for partition p of a cluster, so that a partition is one slot.
  public let prefix: String
  /// Hash: the store's time (`now`); the `epoch` that it belongs to, and which process of Redis is
  /// `open`, or what is `lost`; since when somebody wants to open it (`met`); each writer's last
  /// sequence, and when it was `seen:<writer>`.
  public let fence: String
  /// Stream: what has happened.
  public let events: String
  /// Stream: the events that could not be applied.
  public let deadEvents: String
  /// Hash: the events in `deadEvents`, and the letter of each; `replayed`: the last entry of a replay.
  public let deadEventIDs: String
  /// Hash: what a worker tries again just now, and how often one has ended over it.
  public let trials: String
  /// Hash: how far the worker is, as it says itself every second; and which process goes by each `name:…`.
  public let workerFigures: String
  /// Hash: what the audit has found, as it says itself after every round.
  public let auditFigures: String
  /// What comes before a hold's id in the key of its record.
  let holdPrefix: String
  /// The same in Redis's protocol: what comes before a hold in an argument that is such a key.
  let holdArgument: [UInt8]
  /// Sorted set: when the sweep is to look at which holds.
  public let expiry: String
  /// Sorted set: confirmed holds that are in the books, by when they ended.
  public let confirmed: String
  /// Sorted set: the same of holds that gave their units back.
  public let released: String
  /// Hash: how many holds each of these two names, `confirmed` and `released`; up to when confirmed ones may
  /// have been `forgotten`.
  public let endedCounts: String
  /// Sorted set: the name of every SKU whose stock was ever changed, in the order of their bytes.
  public let skus: String

  /// The keys of one partition.
  public init(prefix: String = "") {
    self.prefix = prefix
    fence = prefix + "fence"
    events = prefix + "inventory.events"
    deadEvents = prefix + "inventory.dead"
    deadEventIDs = prefix + "inventory.dead.seen"
    trials = prefix + "inventory.trials"
    workerFigures = prefix + "inventory.worker"
    auditFigures = prefix + "inventory.audit"
    expiry = prefix + "holds.expiry"
    confirmed = prefix + "holds.confirmed"
    released = prefix + "holds.released"
    endedCounts = prefix + "holds.ended"
    skus = prefix + "skus"
    holdPrefix = prefix + "hold:"
    holdArgument = Array("$\(holdPrefix.utf8.count + HoldKey.textBytes)\r\n\(holdPrefix)".utf8)
  }

  /// Plain integer: the units available, for a person to read and to set once.
  public func stock(_ sku: SKU) -> String { "\(prefix)stock:\(sku.text)" }
  /// Hash: available, held, sold, supplied, version; `retired` is 1 while no new holds begin.
  public func figures(_ sku: SKU) -> String { "\(prefix)sku:\(sku.text)" }
  /// The record of a hold, which is also that of its idempotency key.
  public func hold(_ key: HoldKey) -> String { "\(holdPrefix)\(key)" }
  /// The entry of a correction of a hold, by the version that it gave it.
  func correction(_ hold: HoldID, version: UInt64) -> String {
    "\(prefix)corrected:\(hold)/\(version)"
  }
  /// The fingerprint of a `StockOrder`, by its request id.
  public func request(_ id: Label) -> String { "\(prefix)request:\(id.text)" }
}
