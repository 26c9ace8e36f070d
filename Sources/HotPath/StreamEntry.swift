/// The id of a stream entry: the millisecond of its creation and its number within it.
public struct StreamID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Milliseconds since 1970, by Redis's clock.
  public let ms: UInt64
  /// Tells entries of one millisecond apart.
  public let sequence: UInt64

  /// An id from its parts.
  public init(ms: UInt64, sequence: UInt64) { (self.ms, self.sequence) = (ms, sequence) }

  /// nil: not of the form `<milliseconds>-<sequence>`.
  public init?(_ text: String) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let ms = UInt64(parts[0]), let sequence = UInt64(parts[1]) else {
      return nil
    }
    self.init(ms: ms, sequence: sequence)
  }

  /// The smallest id after this one.
  public var next: StreamID {
    sequence < .max ? StreamID(ms: ms, sequence: sequence + 1) : StreamID(ms: ms + 1, sequence: 0)
  }

  /// The largest id before this one; 0-0 has none, and stays.
  public var previous: StreamID {
    if sequence > 0 { return StreamID(ms: ms, sequence: sequence - 1) }
    return ms > 0 ? StreamID(ms: ms - 1, sequence: .max) : self
  }

  /// The order of the stream.
  public static func < (one: StreamID, other: StreamID) -> Bool {
    (one.ms, one.sequence) < (other.ms, other.sequence)
  }

  /// `<milliseconds>-<sequence>`
  public var description: String { "\(ms)-\(sequence)" }
}

/// An entry of the event stream as it was read; nothing in it has been checked yet.
public struct StreamEntry: Sendable {
  /// One field of an entry with its value.
  public struct Pair: Sendable {
    /// The type of the event, as it stands there.
    public let type: String
    /// The event, as it stands there.
    public let bytes: [UInt8]

    /// A pair from its parts.
    public init(type: String, bytes: [UInt8]) { (self.type, self.bytes) = (type, bytes) }
  }

  /// Where in the stream it stands.
  public let id: StreamID
  /// `<epoch>/<writer>/<sequence>` of the batch that wrote it; nil when somebody else did.
  public let source: String?
  /// Its events, in their order.
  public let events: [Pair]

  /// Of an entry that replays a dead letter: how often its event was tried before, and since when, in
  /// milliseconds since 1970.
  public var replayed: (attempts: Int, firstMs: UInt64)? {
    guard let parts = source?.split(separator: "/"), parts.count == 5, parts[1] == "replay",
      let attempts = Int(parts[3]), let firstMs = UInt64(parts[4])
    else { return nil }
    return (attempts, firstMs)
  }

  /// It was handed out, and then deleted before it was acknowledged: its events are lost.
  public var isDeleted: Bool { source == nil && events.isEmpty }

  /// How many bytes its events take.
  public var byteCount: Int { events.reduce(0) { $0 + $1.bytes.count } }
}

/// An event that cannot be applied, for `inventory.dead`.
public struct DeadLetter: Sendable {
  /// The event's id; for one that cannot even be decoded, `<entry id>/<index>`.
  public let id: String
  /// Its place in its entry, from 0.
  public let index: Int
  /// The type, as it stood in the entry.
  public let type: String
  /// The event, as it stood in the entry.
  public let bytes: [UInt8]
  /// Why, for a person.
  public let reason: String
  /// How often it was tried.
  public let attempts: Int
  /// When it was tried first, in milliseconds since 1970.
  public let firstMs: UInt64
  /// When it was tried last, in milliseconds since 1970.
  public let lastMs: UInt64

  /// A letter from its parts.
  public init(
    id: String, index: Int, type: String, bytes: [UInt8], reason: String, attempts: Int,
    firstMs: UInt64, lastMs: UInt64
  ) {
    self.id = id
    self.index = index
    self.type = type
    self.bytes = bytes
    self.reason = reason
    self.attempts = attempts
    self.firstMs = firstMs
    self.lastMs = lastMs
  }
}
