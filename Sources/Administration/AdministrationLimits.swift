/// Every limit of the worker's calls, with its unit in its name.
public enum AdministrationLimits {
  /// Connections at once; one more is closed.
  public static let connectionsMax = 256
  /// Calls that wait for a store, of all connections; one more gets RESOURCE_EXHAUSTED.
  static let callsOpenMax = 64
  /// How long calls in flight are waited for when the worker stops.
  public static let graceMs: UInt64 = 5_000
  /// How often each store is asked whether it answers.
  static let probeEveryMs: UInt64 = 1_000
  /// A store that has not answered for this long cannot be reached.
  static let silentMs: UInt64 = 3_000
}
