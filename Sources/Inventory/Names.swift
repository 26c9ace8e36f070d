/// A stock-keeping unit: 1–128 bytes of `A-Z a-z 0-9 . _ - /`.
///
/// The set leaves out what a Redis key (`:` `{` `}`) or a shell would read as its own.
public struct SKU: Hashable, Sendable, CustomStringConvertible {
  /// The name as the caller wrote it.
  public let text: String

  /// nil: the length or a character is outside the set.
  public init?(_ bytes: UnsafeRawBufferPointer) {
    guard Self.allows(bytes) else { return nil }
    text = String(decoding: bytes, as: UTF8.self)
  }

  /// nil: the length or a character is outside the set.
  public init?(_ text: String) {
    var text = text
    guard let sku = text.withUTF8({ SKU(UnsafeRawBufferPointer($0)) }) else { return nil }
    self = sku
  }

  /// Whether these bytes are a SKU.
  public static func allows(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count > 0, bytes.count <= Limits.skuBytesMax else { return false }
    var outside: UInt8 = 0
    for byte in bytes { outside |= allows(byte) ? 0 : 1 }
    return outside == 0
  }

  private static func allows(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "-")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true  // '-' '.' '/' and the digits are neighbours in ASCII
    default: false
    }
  }

  /// The name as the caller wrote it.
  public var description: String { text }
}

/// A text that callers choose: 1–128 bytes of UTF-8 without control characters, so that every
/// store and every terminal can take it as it is.
public struct Label: Hashable, Sendable, CustomStringConvertible {
  /// The text as the caller wrote it.
  public let text: String

  /// nil: empty, too long, not UTF-8, or with a control character in it.
  public init?(_ bytes: UnsafeRawBufferPointer) {
    guard Self.allows(bytes) else { return nil }
    text = String(decoding: bytes, as: UTF8.self)
  }

  /// nil: no label, or with a character in it that a request may not bring, see `hides`.  What was
  /// stored before it was refused is still a label.
  public init?(asked bytes: UnsafeRawBufferPointer) {
    guard Self.allows(asked: bytes) else { return nil }
    text = String(decoding: bytes, as: UTF8.self)
  }

  /// Whether these bytes are a label.
  public static func allows(_ bytes: UnsafeRawBufferPointer) -> Bool { allows(bytes, but: nil) }

  /// Whether these bytes are a label that a request may bring.
  public static func allows(asked bytes: UnsafeRawBufferPointer) -> Bool {
    allows(bytes, but: hides)
  }

  /// Whether a character cannot be seen, or turns the direction of what follows: with it, one text
  /// looks like another.  Joiners and variation selectors are not meant: languages need them.
  public static func hides(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x061C, 0x180E, 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x2069, 0xFEFF,
      0xFFF9...0xFFFB, 0xE0000...0xE007F:
      true
    default: false
    }
  }

  private static func allows(
    _ bytes: UnsafeRawBufferPointer, but refused: ((Unicode.Scalar) -> Bool)?
  ) -> Bool {
    guard bytes.count > 0, bytes.count <= Limits.textBytesMax else { return false }
    // No way out of the loop before its end: so it takes sixteen bytes at a time.
    var (control, all): (UInt8, UInt8) = (0, 0)
    for byte in bytes {
      control |= (byte < 0x20 ? 1 : 0) | (byte == 0x7F ? 1 : 0)
      all |= byte
    }
    guard control == 0 else { return false }
    // The full check is only for what is not ASCII: it costs as much as all the rest.
    guard all >= 0x80 else { return true }
    // Beyond ASCII there are 32 more control characters, which some terminals obey.
    guard let text = String(validating: bytes, as: UTF8.self) else { return false }
    return !text.unicodeScalars.contains {
      (0x80...0x9F).contains($0.value) || refused?($0) ?? false
    }
  }

  /// nil: empty, too long, or with a control character in it.
  public init?(_ text: String) {
    var text = text
    guard let label = text.withUTF8({ Label(UnsafeRawBufferPointer($0)) }) else { return nil }
    self = label
  }

  /// The text as the caller wrote it.
  public var description: String { text }
}
