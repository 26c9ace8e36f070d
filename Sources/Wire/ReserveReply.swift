import CStockProto
public import Inventory

/// What became of a reserve.
public struct ReserveReply: ReplyMessage, Sendable, Hashable {
  /// HELD, REPEATED, SOLD_OUT or UNKNOWN_SKU; nil: one that this version does not know.
  public var outcome: Outcome?
  /// Set with HELD and REPEATED.
  public var holdID: String { id.text }
  /// Set with HELD and REPEATED.
  public var status: HoldStatus?
  /// Milliseconds since 1970; set with HELD and REPEATED.
  public var expiresAt: Int64
  /// Units left.
  public var available: UInt64
  /// The level that was reached, when the call named one or when it is less than was asked for.
  public var acknowledged: Acknowledgement?

  private let id: ID

  /// A hold's id as it was told, or as what it says: most replies are written and never read here.
  private enum ID: Hashable {
    case told(String)
    case made(HoldID)

    var text: String {
      switch self {
      case .told(let text): text
      case .made(let id): id.description
      }
    }

    static func == (one: ID, other: ID) -> Bool { one.text == other.text }

    func hash(into hasher: inout Hasher) { hasher.combine(text) }
  }

  /// A reply from its parts.
  public init(
    outcome: Outcome, hold: HoldID? = nil, status: HoldStatus? = nil, expiresAt: Int64 = 0,
    available: UInt64, acknowledged: Acknowledgement? = nil
  ) {
    self.outcome = outcome
    id = hold.map { .made($0) } ?? .told("")
    self.status = status
    self.expiresAt = expiresAt
    self.available = available
    self.acknowledged = acknowledged
  }

  /// Appends the encoded message: by hand, as `ReserveFields` reads the request.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    if let outcome { buffer.append(field: 1, UInt64(outcome.rawValue)) }
    switch id {
    case .made(let hold): buffer.append(field: 2, hold)
    case .told(let text): if !text.isEmpty { buffer.append(field: 2, text: text) }
    }
    if let status { buffer.append(field: 3, UInt64(status.rawValue)) }
    if expiresAt != 0 { buffer.append(field: 4, UInt64(bitPattern: expiresAt)) }
    if available != 0 { buffer.append(field: 5, available) }
    if let acknowledged { buffer.append(field: 6, UInt64(acknowledged.rawValue)) }
  }

  func message(_ arena: Arena) -> Stock__V1__ReserveReply {
    var message = Stock__V1__ReserveReply()
    stock__v1__reserve_reply__init(&message)
    message.outcome = outcome.onTheWire
    message.hold_id = arena.bytes(holdID)
    message.status = status.onTheWire
    message.expires_at = expiresAt
    message.available = available
    message.acknowledged = acknowledged.onTheWire
    return message
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard let message = arena.unpack(bytes, stock__v1__reserve_reply__unpack) else {
      throw MessageError()
    }
    self.init(message.pointee)
  }

  init(_ message: Stock__V1__ReserveReply) {
    outcome = Outcome(message.outcome)
    id = .told(message.hold_id.text)
    status = HoldStatus(message.status)
    expiresAt = message.expires_at
    available = message.available
    acknowledged = Acknowledgement(message.acknowledged)
  }
}
