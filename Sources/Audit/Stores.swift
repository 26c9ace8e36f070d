import Glibc
public import HotPath
import Inventory
public import Ledger
import Wire

/// Where the stores are that an audit compares.
public struct AuditSettings: Sendable {
  /// Where the sale is.
  public var redis: RedisAddress
  /// Where the books are.
  public var database: DatabaseAddress
  /// Who audits, for the published figures and PostgreSQL's list of sessions.
  public var name: String
  /// The keys of the partition.
  public var keys = KeySpace()
  /// How long PostgreSQL may take.
  public var limits = Postgres.Limits.standard
  /// How often the continuous audit compares the figures of every SKU, in milliseconds.
  public var everyMs = AuditLimits.everyMsDefault
  /// Holds a second that the continuous audit walks past in each store, at most.
  public var holdsPerSecond = AuditLimits.holdsPerSecondDefault
  /// How long a lap of the continuous audit past all holds may take, in milliseconds.
  public var lapMs = AuditLimits.lapMsDefault

  /// Settings with the defaults.
  public init(redis: RedisAddress, database: DatabaseAddress, name: String) {
    (self.redis, self.database, self.name) = (redis, database, name)
  }
}

/// Both stores, side by side.  One thread at a time; after any fault make others.
final class Stores {
  let store: StoreView
  let books: BookView
  private let arena = Arena()

  init(_ settings: AuditSettings) throws {
    store = try StoreView(at: settings.redis, keys: settings.keys)
    let database = try Postgres(
      settings.database, name: "stockworker audit \(settings.name)", limits: settings.limits)
    try database.migrate()
    books = try BookView(in: database)
  }

  /// Waits until every event up to an entry is in the books, or in a dead letter.
  /// - Returns: nil when it is; else why the audit cannot tell yet.
  func settle(to entry: StreamID, withinMs: UInt64 = AuditLimits.settleMsMax) throws -> String? {
    if let closed = try store.closed() { return "redis is not open to the sale: \(closed)" }
    guard try books.deployment() == store.deployment() else {
      return "the books are not of the deployment that redis belongs to"
    }
    let deadline = ContinuousClock.now + .milliseconds(withinMs)
    while true {
      guard let applied = try store.applied() else { return "no worker has read the stream yet" }
      if applied >= entry { return nil }
      guard ContinuousClock.now < deadline else {
        return "the books are behind: all is applied up to \(applied), and \(entry) is needed"
      }
      usleep(UInt32(AuditLimits.settleEveryMs) * 1000)
    }
  }

  /// Adds the dead letters that are open now.
  func addOpenLetters(to letters: inout OpenLetters) throws {
    letters.add(try store.openLetters(limit: AuditLimits.lettersMax), arena: arena)
  }

  /// A record, and how old it is.
  struct Seen {
    /// nil: Redis does not know this generation of the hold, or in short.
    var record: Hold?
    /// What Redis remembers of one that has ended.
    var ended: EndedHold?
    /// Something else lies in its place.
    var isUnreadable = false
    /// The last entry of the stream at that moment.
    let at: StreamID
  }

  /// The records of some holds, by id; none of what is no id.
  func records(of ids: [String]) throws -> [String: Seen] {
    var found: [String: Seen] = [:]
    let readable = ids.compactMap { id in HoldID(id).map { (id, $0) } }
    for part in readable.slices(of: StoreView.holdsMax) {
      let (at, records) = try store.holds(part.map(\.1.key))
      for ((id, hold), record) in zip(part, records) {
        switch record {
        case .hold(let known) where known.id == hold: found[id] = Seen(record: known, at: at)
        case .ended(let known) where known.id == hold: found[id] = Seen(ended: known, at: at)
        case .unreadable: found[id] = Seen(isUnreadable: true, at: at)
        default: found[id] = Seen(at: at)
        }
      }
    }
    return found
  }

  /// All that the books have of some holds, by id.
  func traces(of ids: [String]) throws -> [String: HoldTraces] {
    var found: [String: HoldTraces] = [:]
    for part in ids.slices(of: AuditLimits.tracesMax) {
      found.merge(try books.traces(of: Array(part))) { one, _ in one }
    }
    return found
  }
}

extension Array {
  /// Parts of at most so many elements, in order.
  func slices(of size: Int) -> [ArraySlice<Element>] {
    stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
  }
}
