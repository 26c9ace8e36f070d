/// An event that could not be applied.  The names are those of `dead_letters.proto`.
public struct DeadLetterInfo: Sendable, Hashable {
  /// The event's id; for one that cannot be decoded, `<entry>/<index>`.
  public var eventID = ""
  /// As it stood in the stream.
  public var eventType = ""
  /// Why it is here, for a person.
  public var reason = ""
  /// How often it was tried, those before a replay included.
  public var attempts = 0
  /// When it was tried first, in milliseconds since 1970.
  public var firstAt: Int64 = 0
  /// When it was tried last, in milliseconds since 1970.
  public var lastAt: Int64 = 0
  /// The first entry of the stream that held it.
  public var entry = ""
  /// Its place among that entry's events, from 0.
  public var index = 0
  /// Its entry among the dead letters.
  public var place = ""

  /// A letter without content.
  public init() {}
}

/// Which letters: those whose reason and type contain these texts; empty: all.
public struct DeadLetterFilter: Sendable, Hashable {
  /// Contained in the reason.
  public var reason: String
  /// Contained in the type.
  public var eventType: String

  /// A filter from its parts.
  public init(reason: String = "", eventType: String = "") {
    (self.reason, self.eventType) = (reason, eventType)
  }
}

/// Asks for a page of dead letters, oldest first.
public struct ListDeadLettersRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = ListDeadLettersReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.DeadLetters/List"
  /// Letters of a page when the caller does not say.
  public static let limitDefault = 50
  /// Letters of a page at most.
  public static let limitMax = 200

  /// Begin after this place; empty: with the oldest.
  public var after: String
  /// Letters, 1 to `limitMax`; 0: the default.
  public var limit: Int
  /// Which.
  public var filter: DeadLetterFilter

  /// A request from its parts.
  public init(after: String = "", limit: Int = 0, filter: DeadLetterFilter = DeadLetterFilter()) {
    (self.after, self.limit, self.filter) = (after, limit, filter)
  }
}

/// A page of dead letters.
public struct ListDeadLettersReply: ReplyMessage, Sendable, Hashable {
  /// Oldest first.
  public var letters: [DeadLetterInfo] = []
  /// Where to go on; empty: that was all.
  public var next = ""
  /// Letters that there are, whatever the filter.
  public var total = 0

  /// A page without content.
  public init() {}
}

/// Asks for one dead letter with its event.
public struct ShowDeadLetterRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = ShowDeadLetterReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.DeadLetters/Show"

  /// The event's id.
  public var eventID: String

  /// Asks for the letter of this event.
  public init(eventID: String) { self.eventID = eventID }
}

/// A dead letter with its event.
public struct ShowDeadLetterReply: ReplyMessage, Sendable, Hashable {
  /// Bytes of an event that travel.
  public static let eventBytesMax = 1024 * 1024

  /// What is known of it.
  public var letter: DeadLetterInfo
  /// The event as it stands in the store; at most the first `eventBytesMax` of it.
  public var event: [UInt8]
  /// How many bytes there are.
  public var eventBytes: Int

  /// A reply from its parts.
  public init(letter: DeadLetterInfo, event: [UInt8]) {
    self.letter = letter
    self.event = Array(event.prefix(Self.eventBytesMax))
    eventBytes = event.count
  }
}

/// Asks to write events into the stream again: those that are named, or else all that match.
public struct ReplayDeadLettersRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = ReplayDeadLettersReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.DeadLetters/Replay"
  /// Events that one call may name.
  public static let eventIDsMax = 256

  /// At most `eventIDsMax`; none: all that match.
  public var eventIDs: [String]
  /// With no ids.
  public var filter: DeadLetterFilter
  /// The last reply's `next`; empty at first.
  public var after: String
  /// The last reply's `until`; empty at first.
  public var until: String

  /// Events by their ids.
  public init(eventIDs: [String]) {
    (self.eventIDs, filter, after, until) = (eventIDs, DeadLetterFilter(), "", "")
  }

  /// All that match.
  public init(matching filter: DeadLetterFilter, after: String = "", until: String = "") {
    (eventIDs, self.filter, self.after, self.until) = ([], filter, after, until)
  }
}

/// What became of a replay.
public struct ReplayDeadLettersReply: ReplyMessage, Sendable, Hashable {
  /// How many were written into the stream again.
  public var replayed = 0
  /// Ids that have no letter.
  public var unknown: [String] = []
  /// Not empty: there are more; ask again with this and `until`.
  public var next = ""
  /// The newest letter when it began.
  public var until = ""

  /// A reply without content.
  public init() {}
}

/// Asks to take letters away for good.
public struct DiscardDeadLettersRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = DiscardDeadLettersReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.DeadLetters/Discard"

  /// 1 to `ReplayDeadLettersRequest.eventIDsMax`.
  public var eventIDs: [String]
  /// Why, 1 to 128 bytes.
  public var reason: String
  /// Who, 1 to 128 bytes.
  public var actor: String

  /// A request from its parts.
  public init(eventIDs: [String], reason: String, actor: String) {
    (self.eventIDs, self.reason, self.actor) = (eventIDs, reason, actor)
  }
}

/// What became of it.
public struct DiscardDeadLettersReply: ReplyMessage, Sendable, Hashable {
  /// How many were taken away.
  public var discarded = 0
  /// Ids that have no letter.
  public var unknown: [String] = []

  /// A reply without content.
  public init() {}
}
