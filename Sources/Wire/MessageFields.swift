/// The fields of an encoded message, one after the other, where they lie:
/// https://protobuf.dev/programming-guides/encoding/.  Whether they are right is for the decoder.
struct MessageFields {
  /// One field.
  struct Field {
    let number: UInt64
    /// nil when the field is a number.
    var bytes: UnsafeRawBufferPointer?
    /// nil when the field is no number of variable length.
    var varint: UInt64?
  }

  private let bytes: UnsafeRawBufferPointer
  private var place = 0
  /// Set when what came next was no field.
  private(set) var isMalformed = false

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// Whether the bytes are a message of at most `max` fields.
  static func count(_ bytes: UnsafeRawBufferPointer, max: Int) -> Bool {
    var fields = MessageFields(bytes)
    var count = 0
    while count <= max, fields.next() != nil { count += 1 }
    return count <= max && !fields.isMalformed
  }

  /// nil at the end, and when the message is malformed.
  mutating func next() -> Field? {
    guard place < bytes.count, !isMalformed else { return nil }
    if let field = field(), place <= bytes.count { return field }
    isMalformed = true
    return nil
  }

  private mutating func field() -> Field? {
    guard let tag = varint() else { return nil }
    switch tag & 7 {
    case 0:
      guard let value = varint() else { return nil }
      return Field(number: tag >> 3, varint: value)
    case 1: place += 8
    case 2:
      guard let length = varint(), length <= UInt64(bytes.count - place) else { return nil }
      defer { place += Int(length) }
      return Field(
        number: tag >> 3,
        bytes: UnsafeRawBufferPointer(rebasing: bytes[place...].prefix(Int(length))))
    case 5: place += 4
    default: return nil
    }
    return Field(number: tag >> 3)
  }

  private mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 70, by: 7) {
      guard place < bytes.count else { return nil }
      let byte = bytes[place]
      place += 1
      if shift < 64 { value |= UInt64(byte & 0x7F) << UInt64(shift) }
      if byte < 0x80 { return value }
    }
    return nil
  }
}
