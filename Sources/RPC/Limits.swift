/// Every limit of a connection, with its unit in its name.
public enum RPCLimits {
  /// Calls of one connection without an answer; one more gets RESOURCE_EXHAUSTED.
  public static let callsInFlightMax = 16_384
  /// Bytes of the requests of those calls; one more call gets RESOURCE_EXHAUSTED.
  public static let requestBytesInFlightMax = 8 * 1024 * 1024
  /// Streams of one connection; one more gets RESOURCE_EXHAUSTED.
  public static let streamsMax = 64
  /// Bytes of a stream that may be under way when its caller does not say.
  public static let windowBytesDefault = 64 * 1024
  /// The largest window of a stream, in bytes; a caller that asks for more gets this.
  public static let windowBytesMax = 1024 * 1024
  /// The window of a stream whose caller asks for so many bytes.
  static func window(_ asked: UInt32) -> Int {
    asked == 0 ? windowBytesDefault : min(Int(asked), windowBytesMax)
  }
  /// What an item with so many bytes of message takes of its stream's window: its envelope counts too.
  static func windowBytes(of messageBytes: Int) -> Int { messageBytes + 64 }
  /// Bytes of replies that one connection has not read beyond which nothing more is read from it,
  /// until it has taken half.
  public static let heldUpReplyBytes = 1024 * 1024
  /// Bytes of replies that one connection has not read; beyond it the connection is closed.  Only calls
  /// that were in flight when it was held up come so far.
  public static let unreadReplyBytesMax = 8 * 1024 * 1024
  /// Bytes of replies that one connection has not read beyond which its streams wait.
  public static let streamBacklogBytesMax = 256 * 1024
  /// Connections of one shard; one more is told so and closed.
  public static let connectionsMax = 10_000
  /// Connections of one shard with one peer; one more is told so and closed.  Callers put many calls
  /// on one connection, and no single address should be able to lock the others out.
  public static let connectionsPerPeerMax = 1_000
  /// Bytes that the connections of one shard hold together: frames that have begun, requests in flight,
  /// replies that were not read.  Beyond it those that hold most are closed.
  public static let connectionBytesMax = 256 * 1024 * 1024
  /// Bytes taken from one connection in one pass, so that none starves the others: some hundred
  /// reserves.
  public static let readBytesPerPass = 16 * 1024
  /// How long a call may take whose caller does not say.
  public static let timeoutMsDefault: UInt32 = 5_000
  /// The longest time that a caller may ask for; streams have no such limit.
  public static let timeoutMsMax: UInt32 = 60_000

  /// A peer that has begun a frame must end it within this time.
  public static let frameMsMax: UInt64 = 10_000
  /// A peer must have sent its first frame within this time.
  public static let firstFrameMsMax: UInt64 = 30_000
  /// A peer must take some of what waits for it within this time.
  public static let unreadMsMax: UInt64 = 30_000
  /// A connection without calls gets a notice after this time, and is closed.
  public static let idleMsDefault: UInt64 = 30 * 60_000
  /// How long calls in flight are waited for when a connection has to go.
  public static let goingAwayMsMax: UInt64 = 10_000
  /// How long a connection without calls stays open after the notice, so that a call which was on
  /// its way hears that it was not made.
  static let lingerMs: UInt64 = 500
  /// How often the connections are looked at; while the server drains, ten times as often.
  static let tickMs: UInt64 = 1_000
}
