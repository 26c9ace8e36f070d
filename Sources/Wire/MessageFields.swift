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

  /// A tag is a number of 32 bits, of which the wire type takes three.
  private static let tagMax = UInt64(UInt32.max)

  private var place: UnsafeRawPointer?
  private var left: Int
  /// Set when what came next was no field.
  private(set) var isMalformed = false

  init(_ bytes: UnsafeRawBufferPointer) { (place, left) = (bytes.baseAddress, bytes.count) }

  /// Whether the bytes are a message of at most `max` fields.
  static func count(_ bytes: UnsafeRawBufferPointer, max: Int) -> Bool {
    var fields = MessageFields(bytes)
    var count = 0
    while count <= max, fields.next() != nil { count += 1 }
    return count <= max && !fields.isMalformed
  }

  /// nil at the end, and when the message is malformed.
  mutating func next() -> Field? {
    guard left > 0, !isMalformed else { return nil }
    if let field = field() { return field }
    isMalformed = true
    return nil
  }

  private mutating func field() -> Field? {
    guard let tag = varint(), tag >> 3 > 0, tag <= Self.tagMax else { return nil }
    switch tag & 7 {
    case 0:
      guard let value = varint() else { return nil }
      return Field(number: tag >> 3, varint: value)
    case 1:
      guard take(8) != nil else { return nil }
    case 2:
      guard let length = varint(), let bytes = take(length) else { return nil }
      return Field(number: tag >> 3, bytes: bytes)
    case 5:
      guard take(4) != nil else { return nil }
    default: return nil
    }
    return Field(number: tag >> 3)
  }

  private mutating func take(_ count: UInt64) -> UnsafeRawBufferPointer? {
    guard count <= UInt64(left) else { return nil }
    defer { skip(Int(count)) }
    return UnsafeRawBufferPointer(start: place, count: Int(count))
  }

  private mutating func skip(_ count: Int) {
    place = place.map { $0 + count }
    left -= count
  }

  private mutating func varint() -> UInt64? {
    guard let place else { return nil }
    var value: UInt64 = 0
    for count in 0..<min(left, 10) {
      let byte = place.load(fromByteOffset: count, as: UInt8.self)
      value |= UInt64(byte & 0x7F) &<< UInt64(7 * count)
      guard byte >= 0x80 else {
        skip(count + 1)
        return value
      }
    }
    return nil
  }
}
