/// Every limit of the audit, with its unit in its name.
public enum AuditLimits {
  /// How often the figures of every SKU are compared.
  public static let everyMsDefault: UInt64 = 5_000
  /// Holds a second that the continuous audit walks past at most, in each of the two stores.
  public static let holdsPerSecondDefault: UInt64 = 20_000
  /// How long a lap past all holds may take that the continuous audit makes: a day.
  public static let lapMsDefault: UInt64 = 86_400_000
  /// The shortest and the longest that a setting may ask for.
  public static let lapMs: ClosedRange<UInt64> = 60_000...86_400_000
  /// A lap passes so many holds a second at least, and so a small shop in no time.
  static let lapHoldsPerSecondMin: UInt64 = 20
  /// How often a lap that has time makes a step.
  static let lapStepMs: UInt64 = 2_000
  /// Holds that have moved within this time, by the stream's clock, are passed after every change.
  static let recentMs: UInt64 = 3_600_000
  /// Records and rows of one step, about.
  static let stepHoldsMax = 1_000
  /// One part in so many of the time is at most for each thing that the audit does: where the stores have
  /// much to do its steps take longer, and it makes fewer.
  static let timeShare: UInt64 = 4
  /// What seems to differ is looked at again at the latest when it is so much,
  static let suspectsMax = 2_000
  /// or has waited for so long.
  static let suspectsMsMax: UInt64 = 1_000
  /// Holds that one statement asks all of the books about.
  static let tracesMax = 500
  /// How long the books may take to reach what was seen in Redis, before the audit cannot tell.
  static let settleMsMax: UInt64 = 3_000
  /// How often the watermark is looked at meanwhile.
  static let settleEveryMs: UInt64 = 20
  /// How often a hold that changes while it is looked at is looked at again.
  static let attemptsMax = 4
  /// Movements that the continuous audit adds up anew for each second after the books have changed; what
  /// has moved since is added to what is known.
  static let sumRowsPerSecond: UInt64 = 40_000
  /// The same while they stand still, at least.
  static let sumRowsPerSecondMin: UInt64 = 100
  /// Dead letters that are looked at for an explanation.
  static let lettersMax = 10_000
  /// Differences that are kept and told; all are counted.
  public static let differencesMax = 1_000
  /// Lines in the log about new differences, for each round.
  static let alarmsMax = 20
  /// Compensating entries in one plan; the next plan has the others.
  public static let entriesMax = 500
  /// How long the books may take to apply a correction before the repair says that it is still on its
  /// way.
  static let repairMsMax: UInt64 = 10_000
  /// The wait after a failure, and between two attempts to be the one who audits.
  static let retryMs: UInt64 = 2_000
}
