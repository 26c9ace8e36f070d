/// A stock-keeping unit: 1–128 bytes of `A-Z a-z 0-9 . _ - /`.
///
/// The set leaves out what a Redis key (`:` `{` `}`) or a shell would read as its own.
public struct SKU: Hashable, Sendable, CustomStringConvertible {
  /// The name as the caller wrote it.
  public let text: String

  /// nil: the length or a character is outside the set.
  public init?(_ bytes: some Collection<UInt8>) {
    guard (1...Limits.skuBytesMax).contains(bytes.count), bytes.allSatisfy(Self.allows) else {
      return nil
    }
    text = String(decoding: bytes, as: UTF8.self)
  }

  /// nil: the length or a character is outside the set.
  public init?(_ text: String) { self.init(text.utf8) }

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
  public init?(_ bytes: some Collection<UInt8>) {
    guard (1...Limits.textBytesMax).contains(bytes.count),
      bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }),
      let text = String(validating: bytes, as: UTF8.self)
    else { return nil }
    self.text = text
  }

  /// nil: empty, too long, or with a control character in it.
  public init?(_ text: String) { self.init(text.utf8) }

  /// The text as the caller wrote it.
  public var description: String { text }
}
