import Synchronization

/// How far a projection is, as its watch saw it last.  Any thread may ask.
public final class Progress: Sendable {
  /// What one look at the stream found.
  public struct Figures: Sendable {
    /// The tables and the consumer group are there.
    public internal(set) var isReady = false
    /// Why the events of this Redis are not written into the books; nil: they are.
    public internal(set) var notTaken: String? = "it has not been compared with the books yet"
    /// Entries that were not handed out yet; nil where Redis cannot tell.
    public internal(set) var lagEntries: Int?
    /// Entries that were handed out and not acknowledged.
    public internal(set) var pendingEntries = 0
    /// How long the oldest of both has waited, in milliseconds.
    public internal(set) var oldestAgeMs: UInt64 = 0
    /// Up to this stream id all is applied or dead; empty before the first look.
    public internal(set) var appliedTo = ""
    /// Entries of the stream.
    public internal(set) var streamEntries = 0
    /// Events that could not be applied; nil when something else stands in their place.
    public internal(set) var deadLetters: Int?
    /// Groups that nobody waits for.
    public internal(set) var unknownGroups: [String] = []
    /// Groups that trimming waits for and that do not exist.
    public internal(set) var missingGroups: [String] = []
    /// Groups that trimming waits for and that do not move.
    public internal(set) var stalledGroups: [String] = []

    /// What keeps lanes from writing events into the books, by the number of the lane.
    public internal(set) var troubles: [Int: Trouble] = [:]
    /// Another worker goes by the same name.
    public internal(set) var hasNamesake = false

    /// The books are behind: an event has waited for too long.
    public var isBehind: Bool { oldestAgeMs >= ProjectionLimits.behindMs }
  }

  /// Why a lane writes nothing.
  public struct Trouble: Sendable {
    /// With PostgreSQL; else with Redis.
    public let isOfBooks: Bool
    /// For a person.
    public let reason: String
  }

  /// Whether the threads still move.
  public let pulse = Pulse()
  private let state = Mutex(Figures())

  /// Of a projection that has not begun.
  public init() {}

  /// The figures of the last look.
  public var figures: Figures { state.withLock { $0 } }

  func update(_ change: (inout Figures) -> Void) { state.withLock { change(&$0) } }
}
