/// Every limit of the worker's calls, with its unit in its name.
public enum AdministrationLimits {
  /// Connections at once; one more is closed.
  public static let connectionsMax = 256
  /// Calls that wait for a store, of all connections; one more gets RESOURCE_EXHAUSTED.
  static let callsOpenMax = 64
  /// How long calls in flight are waited for when the worker stops.
  public static let graceMs: UInt64 = 5_000
  /// Dead letters that one command asks Redis for.
  static let pageLetters = 200
  /// Such commands for one page of the list: a filter that matches little must not take for ever.
  static let listPagesMax = 50
  /// Bytes of ids and reasons in one page of the list.
  static let listBytesMax = 1024 * 1024
  /// Letters that one call replays, about; its answer says where to go on.
  static let replayLettersMax = 1_000
  /// A replay of all that match answers this long before its deadline.
  static let replayMarginMs: UInt64 = 500
  /// An audit that is still under way is answered so long before its call's deadline,
  static let auditMarginMs: UInt64 = 500
  /// and looked at so often.
  static let auditLookMs: UInt64 = 20
  /// How long PostgreSQL may take for a discard, or for a page of the books: the caller waits.
  static let booksMsMax = 4_000
  /// Dead letters that are named for one difference.
  static let lettersOfDifferenceMax = 20
  /// Reasons against a repair, and pieces of advice, that one answer holds.
  static let refusalsMax = 100
  /// How often each store is asked whether it answers.
  static let probeEveryMs: UInt64 = 1_000
  /// A store that has not answered for this long cannot be reached.
  static let silentMs: UInt64 = 3_000
}
