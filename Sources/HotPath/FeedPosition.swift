/// How far a reader of the event stream is.
///
/// The ordinal counts the entries that the stream has ever had.  It tells a reader who has missed
/// something from one who is merely older than what there is: in a quiet shop every entry that it
/// has read may have been trimmed, and nothing was missed.
public struct FeedPosition: Hashable, Sendable, CustomStringConvertible {
  /// The last entry of which something was read.
  public let entry: StreamID
  /// How many events of that entry were read; 0: all of them.
  public let events: Int
  /// That entry's number in the history of the stream, the first one's being 1.
  public let ordinal: UInt64

  /// A position from its parts.
  public init(entry: StreamID, events: Int = 0, ordinal: UInt64) {
    (self.entry, self.events, self.ordinal) = (entry, events, ordinal)
  }

  /// nil: not what `description` writes.
  public init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let entry = StreamID(String(parts[0])), let events = Int(parts[1]),
      events >= 0, let ordinal = UInt64(parts[2])
    else { return nil }
    self.init(entry: entry, events: events, ordinal: ordinal)
  }

  /// `<entry>.<events>.<ordinal>`
  public var description: String { "\(entry).\(events).\(ordinal)" }

  /// Whether it lies behind the whole of an entry.
  func isBeyond(_ id: StreamID) -> Bool { entry > id || entry == id && events == 0 }
}

/// Why a reader cannot go on from where it is.
public enum FeedFault: Error, Equatable {
  /// Events that it has not read are gone.
  case tooOld(earliest: FeedPosition)
  /// The stream does not reach as far: the store has lost what the reader has seen.
  case unknown
}

/// The ends of the event stream, as XINFO STREAM tells them.
struct StreamEnds: Equatable {
  /// The newest entry, whether it is still there or not.
  let last: FeedPosition
  /// Just before the oldest entry that is there.
  let earliest: FeedPosition

  init(last: FeedPosition, earliest: FeedPosition) { (self.last, self.earliest) = (last, earliest) }

  /// nil: the reply of a Redis before 7.0, or of something else.
  init?(_ reply: RedisReply) {
    if reply.error?.contains("no such key") == true {
      let start = FeedPosition(entry: StreamID(ms: 0, sequence: 0), ordinal: 0)
      self.init(last: start, earliest: start)
      return
    }
    var fields: [String: RedisReply] = [:]
    for place in stride(from: 0, to: reply.count - 1, by: 2) {
      fields[reply[place].text ?? ""] = reply[place + 1]
    }
    guard let length = fields["length"].map({ UInt64(clamping: $0.integer) }),
      let added = fields["entries-added"].map({ UInt64(clamping: $0.integer) }), added >= length,
      let last = fields["last-generated-id"]?.text.flatMap({ StreamID($0) }),
      let first = fields["recorded-first-entry-id"]?.text.flatMap({ StreamID($0) })
    else { return nil }
    let end = FeedPosition(entry: last, ordinal: added)
    self.init(
      last: end,
      earliest: length == 0
        ? end : FeedPosition(entry: first.previous, ordinal: added - length))
  }

  /// Why a reader cannot go on from there; nil: nothing that follows it is missing.
  func fault(of position: FeedPosition) -> FeedFault? {
    if position.entry > last.entry || position.ordinal > last.ordinal { return .unknown }
    // All that is there follows an entry that is there; else as many must follow as ever did.
    if position.entry > earliest.entry { return nil }
    if position.events == 0, position.ordinal >= earliest.ordinal { return nil }
    return .tooOld(earliest: earliest)
  }
}
