/// Every limit of the worker, with its unit in its name.
public enum ProjectionLimits {
  /// Bytes of events in one transaction, about: some 5,000 events.
  public static let batchBytesDefault = 1024 * 1024
  /// The largest that a setting may ask for.
  public static let batchBytesMax = 64 * 1024 * 1024
  /// Entries in one transaction, however small they are.
  public static let batchEntriesMax = 1024
  /// Entries in the first batch, before their size is known; each may hold 128 KiB.
  static let batchEntriesFirst = 16
  /// How long a read waits for news, and so the longest that a stop signal waits for one.
  static let blockMs = 500
  /// Entries that their consumer has not acknowledged for this long are taken over.
  public static let reclaimAfterMsDefault: UInt64 = 60_000
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
  /// The wait after the first failure; doubles up to `retryMsMax`.
  static let retryMsMin: UInt64 = 50
  /// The longest wait between two attempts.
  static let retryMsMax: UInt64 = 5_000
}
