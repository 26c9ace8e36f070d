public import Inventory

/// A hold as the books have it.  The names are those of `records.proto`.
public struct HoldRecord: Sendable, Hashable {
  /// `H-…-<created at>`
  public var holdID = ""
  /// ACTIVE, CONFIRMED, CANCELLED or EXPIRED.
  public var status = ""
  /// What is held.
  public var sku = ""
  /// How many units.
  public var qty: UInt64 = 0
  /// Who holds.
  public var userID = ""
  /// The key that made it.
  public var idempotencyKey = ""
  /// Milliseconds since 1970.
  public var createdAt: Int64 = 0
  /// Milliseconds since 1970.
  public var expiresAt: Int64 = 0
  /// Milliseconds since 1970.
  public var changedAt: Int64 = 0
  /// 1 when created, one more with every change.
  public var version: UInt64 = 0
  /// Confirmed holds; else empty.
  public var paymentRef = ""
  /// Confirmed holds; else empty.
  public var orderID = ""
  /// The stream entry that brought it to this state.
  public var streamID = ""

  /// A record without content.
  public init() {}
}

/// Asks for a page of holds, newest first; what is left out is any.
public struct ListHoldsRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = ListHoldsReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Records/ListHolds"
  /// Holds of a page when the caller does not say.
  public static let limitDefault = 50
  /// Holds of a page at most.
  public static let limitMax = 200

  /// Who holds; empty: anybody.
  public var userID = ""
  /// What is held; empty: anything.
  public var sku = ""
  /// ACTIVE, CONFIRMED, CANCELLED or EXPIRED; empty: any.
  public var status = ""
  /// Made at this time or later, in milliseconds since 1970.
  public var createdFrom: Int64 = 0
  /// Made before this time, in milliseconds since 1970; 0: whenever.
  public var createdUntil: Int64 = 0
  /// The `next` of the page before; empty: the first page.
  public var after = ""
  /// Holds, 1 to `limitMax`; 0: the default.
  public var limit = 0

  /// Asks for every hold.
  public init() {}
}

/// A page of holds.
public struct ListHoldsReply: ReplyMessage, Sendable, Hashable {
  /// At most as many as were asked for.
  public var holds: [HoldRecord] = []
  /// Where the next page begins; empty: this is the last one.
  public var next = ""

  /// A page without holds.
  public init() {}
}

/// What has moved a SKU's figures.
public struct MovementRecord: Sendable, Hashable {
  /// The event's id.
  public var eventID = ""
  /// The type of the event.
  public var cause = ""
  /// What has moved.
  public var sku = ""
  /// Empty: it was no hold.
  public var holdID = ""
  /// Milliseconds since 1970.
  public var time: Int64 = 0
  /// The stream entry that it came with.
  public var streamID = ""
  /// How the figures moved.
  public var deltas = Correction.Deltas.none
  /// The figures after it; nil: it was a hold's.
  public var after: Figures?
  /// Of a change that was asked for.
  public var requestID = ""
  /// Who, as far as the caller said.
  public var actor = ""
  /// Why, as far as the caller said.
  public var reason = ""
  /// Of a correction: what differed.
  public var found = ""

  /// A movement without content.
  public init() {}
}

/// Asks what has moved a SKU's figures, newest first, or for the life of one hold.
public struct HistoryRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = HistoryReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Records/History"
  /// Movements of a page when the caller does not say.
  public static let limitDefault = 50
  /// Movements of a page at most.
  public static let limitMax = 200

  /// Empty: of a hold.
  public var sku: String
  /// Without what holds have moved.
  public var stockOnly: Bool
  /// The `next` of the page before; empty: the first page.
  public var after: String
  /// Movements, 1 to `limitMax`; 0: the default.
  public var limit: Int
  /// Empty: of a SKU.
  public var holdID: String

  /// Of a SKU.
  public init(sku: String, stockOnly: Bool = false, after: String = "", limit: Int = 0) {
    (self.sku, self.stockOnly, self.after, self.limit) = (sku, stockOnly, after, limit)
    holdID = ""
  }

  /// Of a hold.
  public init(holdID: String) {
    (sku, stockOnly, after, limit) = ("", false, "", 0)
    self.holdID = holdID
  }
}

/// A page of movements, or the life of a hold.
public struct HistoryReply: ReplyMessage, Sendable, Hashable {
  /// Of a SKU the newest first; of a hold by its versions.
  public var movements: [MovementRecord] = []
  /// Where the next page begins; empty: this is the last one.
  public var next = ""
  /// The hold as it is now.
  public var hold: HoldRecord?

  /// A page without movements.
  public init() {}
}

/// What a valid `ListHoldsRequest` asks for.
public struct WantedHolds: Sendable {
  /// Who holds; nil: anybody.
  public let user: Label?
  /// What is held; nil: anything.
  public let sku: SKU?
  /// nil: any.
  public let status: HoldStatus?
  /// Made at this time or later, in milliseconds since 1970.
  public let createdFrom: UInt64
  /// Made before this time, in milliseconds since 1970; nil: whenever.
  public let createdUntil: UInt64?
  /// nil: the first page.
  public let after: HoldID?
  /// Holds of the page.
  public let limit: Int
}

/// What a valid `HistoryRequest` asks for.
public enum WantedHistory: Sendable {
  /// - Parameter after: for the books to read; empty: the first page.
  case sku(SKU, stockOnly: Bool, after: String, limit: Int)
  case hold(HoldID)
}
