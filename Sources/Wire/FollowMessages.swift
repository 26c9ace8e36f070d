import CStockProto
public import Inventory

/// Asks for every event.
public struct FollowRequest: StreamRequest, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = FollowItem
  /// See `RequestMessage`.
  public static let method = "stock.v1.Events/Follow"
  /// SKUs that one stream may name.
  public static let skusMax = 256
  /// Event types that one stream may name.
  public static let typesMax = 16

  /// The token of the last item that the caller has dealt with, or empty.
  public var after: String
  /// Without a token: from the earliest event on, instead of from now on.
  public var fromEarliest: Bool
  /// Only events of these types; empty: all.
  public var types: [EventType]
  /// Only events about these SKUs; empty: all.
  public var skus: [String]

  /// A request as the caller writes it; the server checks it.
  public init(
    after: String = "", fromEarliest: Bool = false, types: [EventType] = [], skus: [String] = []
  ) {
    self.after = after
    self.fromEarliest = fromEarliest
    self.types = types
    self.skus = skus
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__FollowRequest()
    stock__v1__follow_request__init(&message)
    message.after = arena.bytes(after)
    message.from_earliest = fromEarliest ? 1 : 0
    message.n_event_types = types.count
    message.event_types = arena.list(types.map { arena.bytes($0.rawValue) })
    message.n_skus = skus.count
    message.skus = arena.list(skus.map { arena.bytes($0) })
    buffer.append(message: &message)
  }
}

/// An event with its token, or a token alone: how far the stream has come.
public struct FollowItem: ReplyMessage, Sendable, Hashable {
  /// Where to resume.
  public var token: String
  /// As it stands in the store, such as "HOLD_CREATED"; empty: a token alone.
  public var type = ""
  /// Tells an event that comes again; empty where the server could not read the event.
  public var id = ""
  /// Milliseconds since 1970, by Redis's clock.
  public var time: Int64 = 0
  /// Of the call behind the event; empty: it sent none.
  public var traceparent = ""
  /// nil: a token alone, or an event that this version cannot read.
  public var event: Event?
  /// An event that cannot be read, as it stands in the store.
  public var unread: [UInt8] = []

  /// Field numbers of the event.
  private enum Place: UInt64 {
    case hold = 6
    case stock = 7
    case unread = 8
  }

  /// A token alone.
  public init(token: String) { self.token = token }

  /// An event as it stands in the store.  The type decides how it is read; what cannot be read is
  /// kept as it is.
  public init(token: String, type: String, _ bytes: UnsafeRawBufferPointer, arena: Arena) {
    self.token = token
    self.type = type
    do throws(EventError) {
      let event = try Event(type: type, bytes, arena: arena)
      self.event = event
      id = event.id
      time = Int64(clamping: event.time)
      traceparent = event.trace?.traceparent ?? ""
    } catch {
      unread = Array(bytes)
    }
  }

  /// Appends the encoded message; an event must be encoded with `encode(_:into:arena:)`.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    precondition(event == nil, "an event is copied from where it stands")
    unread.withUnsafeBytes { encode($0, into: &buffer, arena: arena) }
  }

  /// Appends the encoded message, with the event's bytes as they stand in the store: they are already
  /// what the field holds.
  public func encode(
    _ bytes: UnsafeRawBufferPointer, into buffer: inout ByteBuffer, arena: Arena
  ) {
    var message = Stock__V1__FollowItem()
    stock__v1__follow_item__init(&message)
    message.token = arena.bytes(token)
    message.event_type = arena.bytes(type)
    message.event_id = arena.bytes(id)
    message.time = time
    message.traceparent = arena.bytes(traceparent)
    buffer.append(message: &message)
    guard !type.isEmpty else { return }
    let place: Place =
      switch event {
      case .hold: .hold
      case .stock: .stock
      case nil: .unread
      }
    buffer.append(varint: place.rawValue << 3 | 2)
    buffer.append(varint: UInt64(bytes.count))
    buffer.append(bytes)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard let message = arena.unpack(bytes, stock__v1__follow_item__unpack) else {
      throw MessageError()
    }
    let head = message.pointee
    var body = UnsafeRawBufferPointer(start: nil, count: 0)
    var fields = MessageFields(bytes)
    while let field = fields.next() {
      if Place(rawValue: field.number) != nil, let bytes = field.bytes { body = bytes }
    }
    token = head.token.text
    type = head.event_type.text
    id = head.event_id.text
    time = head.time
    traceparent = head.traceparent.text
    guard !type.isEmpty else { return }
    event = try? Event(type: type, body, arena: arena)
    if event == nil { unread = Array(body) }
  }
}

/// An item that was encoded once for all who read it.
public struct EncodedItem: ReplyMessage, Sendable {
  private let bytes: [UInt8]

  /// Encodes an event as it stands in the store.
  public init(
    _ item: FollowItem, _ event: UnsafeRawBufferPointer, through buffer: inout ByteBuffer,
    arena: Arena
  ) {
    item.encode(event, into: &buffer, arena: arena)
    bytes = Array(buffer.readable)
    buffer.consume(buffer.count)
  }

  /// Copies an encoded message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) { self.bytes = Array(bytes) }

  /// Bytes of the message.
  public var byteCount: Int { bytes.count }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    bytes.withUnsafeBytes { buffer.append($0) }
  }
}

/// What a valid `FollowRequest` asks for; its token is for the store to read.
public struct Follow: Sendable, Hashable {
  /// nil: none was sent.
  public let after: String?
  /// Without a token: from the earliest event on.
  public let fromEarliest: Bool
  /// Types as they stand in the store; empty: all.
  public let types: Set<String>
  /// Empty: all.
  public let skus: Set<SKU>
}

extension OperationDecoder {
  /// Decodes a `FollowRequest`.
  public func follow(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws(Status) -> Follow {
    let fields = FollowRequest.skusMax + FollowRequest.typesMax + Arena.fieldsMax
    guard
      let message = arena.unpack(bytes, fieldsMax: fields, stock__v1__follow_request__unpack)
    else { throw .malformedMessage }
    let request = message.pointee
    guard request.n_event_types <= FollowRequest.typesMax else {
      throw .invalid("event_types", "at most \(FollowRequest.typesMax) types")
    }
    var types: Set<String> = []
    for place in 0..<request.n_event_types {
      let text = request.event_types[place].text
      guard EventType(rawValue: text) != nil else {
        throw .invalid("event_types[\(place)]", "a type of event that this server knows")
      }
      types.insert(text)
    }
    let skus = try Self.skus(request.n_skus, request.skus, "skus", max: FollowRequest.skusMax)
    return Follow(
      after: request.after.len == 0 ? nil : request.after.text,
      fromEarliest: request.from_earliest != 0, types: types, skus: Set(skus))
  }
}
