/// Every limit of a connection, with its unit in its name.
public enum RPCLimits {
  /// Calls of one connection without an answer; one more gets RESOURCE_EXHAUSTED.
  public static let callsInFlightMax = 4_096
  /// Bytes of replies that one connection has not read; beyond it the connection is closed.
  public static let unreadReplyBytesMax = 8 * 1024 * 1024
  /// Connections of one shard; one more is closed at once.
  public static let connectionsMax = 10_000
  /// Bytes taken from one connection in one pass, so that none starves the others.
  public static let readBytesPerPass = 256 * 1024
  /// How long a call may take whose caller does not say.
  public static let timeoutMsDefault: UInt32 = 5_000
  /// The longest time that a caller may ask for.
  public static let timeoutMsMax: UInt32 = 60_000
}
