/// Every limit of the worker, with its unit in its name.
public enum ProjectionLimits {
  /// Bytes of events in one transaction, about: some 20,000 events.  Of those that wait, the more there
  /// are together, the more belong to holds that need one row for all of them.
  public static let batchBytesDefault = 4 * 1024 * 1024
  /// The largest that a setting may ask for.
  public static let batchBytesMax = 64 * 1024 * 1024
  /// After a failure a transaction takes half of what it took before, down to this.
  static let batchBytesMin = 16 * 1024
  /// How long a lane leaves events to gather after a transaction of more than one that was not full.
  /// While others buy, the wait for LEDGER grows by that, and by a transaction that has become larger.
  public static let gatherMsDefault: UInt64 = 10
  /// The longest that a setting may ask for.
  public static let gatherMsMax: UInt64 = 60_000
  /// Lines from the stream to the books in one worker.
  public static let lanesDefault = 2
  /// The most that a setting may ask for.
  public static let lanesMax = 64
  /// How long a read waits for news, and so the longest that a stop signal waits for one.
  static let blockMs = 500
  /// How often a lane looks for entries under its own name that are not in its hands: one small command,
  /// beside a busy stream too.
  static let ownEveryMs: UInt64 = 1_000
  /// Entries that their consumer has not acknowledged for this long are taken over.
  public static let reclaimAfterMsDefault: UInt64 = 60_000
  /// Others' entries that one command takes over; each may hold 128 KiB.
  static let reclaimEntriesMax = 64
  /// How often others' entries are looked at; sooner when `reclaimAfterMs` is short.
  static let reclaimEveryMs: UInt64 = 10_000
  /// Applied entries stay in the stream for this long, for a person to look at.
  public static let trimWindowMsDefault: UInt64 = 600_000
  /// Share of Redis's memory up to which the whole window is kept.
  static let windowFullUse = 0.5
  /// Share of Redis's memory from which on no window is kept.
  static let windowNoneUse = 0.75
  /// How often the stream is trimmed; sooner when the window is short.
  static let trimEveryMs: UInt64 = 5_000
  /// Entries that one XTRIM removes: it holds Redis for about a millisecond.
  static let trimEntriesMax = 10_000
  /// How often the worker says how far it is.
  static let figuresEveryMs: UInt64 = 1_000
  /// The books are behind when an event has waited for this long.
  static let behindMs: UInt64 = 10_000
  /// How often that is said again.
  static let alarmEveryMs: UInt64 = 60_000
  /// Another worker of the same name has gone when it was not met for this long.
  static let namesakeMs: UInt64 = 10_000
  /// The word of a worker that has not ended in order stays beside its name for this long: a day.
  static let nameForgottenMs: UInt64 = 86_400_000
  /// How often it is asked whether Redis has to be opened: as long as a sale waits after a restart.
  static let openerEveryMs: UInt64 = 200
  /// How often the books confirm that the Redis which is open is the one.
  static let renewEveryMs: UInt64 = 1_000
  /// How long they may take to do so.
  static let renewReplyMs = 3_000
  /// For how long the opening of a Redis with replicas holds without being renewed: at least and at most.
  public static let leaseMs: ClosedRange<UInt64> = 2_000...3_600_000
  /// A group that trimming waits for is an alarm when it has not moved for this long.
  public static let stalledAfterMsDefault: UInt64 = 60_000
  /// A thread that has not been heard for so much longer than it may wait for a store hangs.
  static let stuckMs: UInt64 = 60_000
  /// An event that the tables refuse is tried this often before it is dead.
  static let attemptsMax = 3
  /// An event over which, alone, a worker has ended this often is dead.
  static let endsMax = 3
  /// How long PostgreSQL may take for a reply.
  public static let postgresTimeoutMsDefault = 20_000
  /// The wait after the first failure; doubles up to `retryMsMax`.
  static let retryMsMin: UInt64 = 50
  /// The longest wait between two attempts.
  static let retryMsMax: UInt64 = 5_000
}
