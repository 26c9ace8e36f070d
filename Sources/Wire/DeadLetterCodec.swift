import CStockProto
import Inventory

/// Fields of a reply with lists in it that is read here.
private let listFieldsMax = 2_048
/// Bytes of an event's id.
private let eventIDBytesMax = 256

extension DeadLetterInfo {
  fileprivate func message(_ arena: Arena) -> Stock__V1__DeadLetter {
    var message = Stock__V1__DeadLetter()
    stock__v1__dead_letter__init(&message)
    message.event_id = arena.bytes(eventID)
    message.event_type = arena.bytes(eventType)
    message.reason = arena.bytes(reason)
    message.attempts = UInt32(clamping: attempts)
    message.first_at = firstAt
    message.last_at = lastAt
    message.entry = arena.bytes(entry)
    message.index = UInt32(clamping: index)
    message.place = arena.bytes(place)
    return message
  }

  fileprivate init(_ message: Stock__V1__DeadLetter) {
    eventID = message.event_id.text
    eventType = message.event_type.text
    reason = message.reason.text
    attempts = Int(message.attempts)
    firstAt = message.first_at
    lastAt = message.last_at
    entry = message.entry.text
    index = Int(message.index)
    place = message.place.text
  }
}

extension DeadLetterFilter {
  fileprivate func message(_ arena: Arena) -> UnsafeMutablePointer<Stock__V1__DeadLetterFilter> {
    var message = Stock__V1__DeadLetterFilter()
    stock__v1__dead_letter_filter__init(&message)
    message.reason = arena.bytes(reason)
    message.event_type = arena.bytes(eventType)
    return arena.place(message)
  }

  fileprivate init(_ message: UnsafeMutablePointer<Stock__V1__DeadLetterFilter>?) {
    self.init(
      reason: message?.pointee.reason.text ?? "",
      eventType: message?.pointee.event_type.text ?? "")
  }
}

extension ListDeadLettersRequest {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__ListDeadLettersRequest()
    stock__v1__list_dead_letters_request__init(&message)
    message.after = arena.bytes(after)
    message.limit = UInt32(clamping: limit)
    message.filter = filter.message(arena)
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws(Status) {
    guard let message = arena.unpack(bytes, stock__v1__list_dead_letters_request__unpack) else {
      throw .malformedMessage
    }
    let asked = Int(message.pointee.limit)
    self.init(
      after: message.pointee.after.text,
      limit: asked == 0 ? Self.limitDefault : min(asked, Self.limitMax),
      filter: DeadLetterFilter(message.pointee.filter))
  }
}

extension ListDeadLettersReply {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__ListDeadLettersReply()
    stock__v1__list_dead_letters_reply__init(&message)
    message.n_letters = letters.count
    message.letters = arena.pointers(letters) { $0.message(arena) }
    message.next = arena.bytes(next)
    message.total = UInt64(total)
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard
      let message = arena.unpack(
        bytes, fieldsMax: listFieldsMax, stock__v1__list_dead_letters_reply__unpack)
    else { throw MessageError() }
    letters = values(message.pointee.n_letters, message.pointee.letters) { DeadLetterInfo($0) }
    next = message.pointee.next.text
    total = Int(clamping: message.pointee.total)
  }
}

extension ShowDeadLetterRequest {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__ShowDeadLetterRequest()
    stock__v1__show_dead_letter_request__init(&message)
    message.event_id = arena.bytes(eventID)
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws(Status) {
    guard let message = arena.unpack(bytes, stock__v1__show_dead_letter_request__unpack) else {
      throw .malformedMessage
    }
    self.init(eventID: message.pointee.event_id.text)
    guard (1...eventIDBytesMax).contains(eventID.utf8.count) else {
      throw .invalid("event_id", "1 to \(eventIDBytesMax) bytes")
    }
  }
}

extension ShowDeadLetterReply {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__ShowDeadLetterReply()
    stock__v1__show_dead_letter_reply__init(&message)
    message.letter = arena.place(letter.message(arena))
    message.event = arena.bytes(event)
    message.event_bytes = UInt64(eventBytes)
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard let message = arena.unpack(bytes, stock__v1__show_dead_letter_reply__unpack),
      let letter = message.pointee.letter
    else { throw MessageError() }
    self.letter = DeadLetterInfo(letter.pointee)
    event = Array(message.pointee.event.view)
    eventBytes = Int(clamping: message.pointee.event_bytes)
  }
}

extension ReplayDeadLettersRequest {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__ReplayDeadLettersRequest()
    stock__v1__replay_dead_letters_request__init(&message)
    message.n_event_ids = eventIDs.count
    message.event_ids = arena.list(eventIDs.map { arena.bytes($0) })
    message.filter = filter.message(arena)
    message.after = arena.bytes(after)
    message.until = arena.bytes(until)
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws(Status) {
    guard
      let message = arena.unpack(
        bytes, fieldsMax: Arena.fieldsMax + Self.eventIDsMax,
        stock__v1__replay_dead_letters_request__unpack)
    else { throw .malformedMessage }
    let found = message.pointee
    self.init(
      matching: DeadLetterFilter(found.filter), after: found.after.text, until: found.until.text)
    eventIDs = try checkedIDs(found.n_event_ids, found.event_ids)
  }
}

extension ReplayDeadLettersReply {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__ReplayDeadLettersReply()
    stock__v1__replay_dead_letters_reply__init(&message)
    message.replayed = UInt64(replayed)
    message.n_unknown = unknown.count
    message.unknown = arena.list(unknown.map { arena.bytes($0) })
    message.next = arena.bytes(next)
    message.until = arena.bytes(until)
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard
      let message = arena.unpack(
        bytes, fieldsMax: listFieldsMax, stock__v1__replay_dead_letters_reply__unpack)
    else { throw MessageError() }
    replayed = Int(clamping: message.pointee.replayed)
    unknown = texts(message.pointee.n_unknown, message.pointee.unknown)
    next = message.pointee.next.text
    until = message.pointee.until.text
  }
}

extension DiscardDeadLettersRequest {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__DiscardDeadLettersRequest()
    stock__v1__discard_dead_letters_request__init(&message)
    message.n_event_ids = eventIDs.count
    message.event_ids = arena.list(eventIDs.map { arena.bytes($0) })
    message.reason = arena.bytes(reason)
    message.actor = arena.bytes(actor)
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws(Status) {
    guard
      let message = arena.unpack(
        bytes, fieldsMax: Arena.fieldsMax + ReplayDeadLettersRequest.eventIDsMax,
        stock__v1__discard_dead_letters_request__unpack)
    else { throw .malformedMessage }
    let found = message.pointee
    self.init(
      eventIDs: try checkedIDs(found.n_event_ids, found.event_ids),
      reason: try checkedLabel(found.reason, "reason").text,
      actor: try checkedLabel(found.actor, "actor").text)
    guard !eventIDs.isEmpty else { throw .invalid("event_ids", "at least one id") }
  }
}

extension DiscardDeadLettersReply {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__DiscardDeadLettersReply()
    stock__v1__discard_dead_letters_reply__init(&message)
    message.discarded = UInt64(discarded)
    message.n_unknown = unknown.count
    message.unknown = arena.list(unknown.map { arena.bytes($0) })
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard
      let message = arena.unpack(
        bytes, fieldsMax: listFieldsMax, stock__v1__discard_dead_letters_reply__unpack)
    else { throw MessageError() }
    discarded = Int(clamping: message.pointee.discarded)
    unknown = texts(message.pointee.n_unknown, message.pointee.unknown)
  }
}

private func checkedIDs(
  _ count: Int, _ list: UnsafeMutablePointer<ProtobufCBinaryData>?
) throws(Status) -> [String] {
  let max = ReplayDeadLettersRequest.eventIDsMax
  guard count <= max else { throw .invalid("event_ids", "at most \(max) ids") }
  let ids = texts(count, list)
  for (place, id) in ids.enumerated() where !(1...eventIDBytesMax).contains(id.utf8.count) {
    throw .invalid("event_ids[\(place)]", "1 to \(eventIDBytesMax) bytes")
  }
  return ids
}

/// A text that stores keep as it is: who, or why.
func checkedLabel(_ bytes: ProtobufCBinaryData, _ field: String) throws(Status) -> Label {
  guard let label = Label(asked: bytes.view) else { throw .invalidLabel(field) }
  return label
}
