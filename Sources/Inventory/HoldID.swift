/// Which hold: the partition of its SKU and 128 bits of digest over namespace, user and key.
///
/// Written `H-`, two characters of partition, 26 of digest, in Crockford's base 32
/// (https://www.crockford.com/base32.html): no letter that reads like a digit.
public struct HoldKey: Hashable, Sendable, CustomStringConvertible {
  /// Length of the written form.
  public static let textBytes = 30

  /// 0–1,023; always 0 while one Redis holds everything.
  public let partition: UInt16
  /// The first 64 bits of the digest.
  public let high: UInt64
  /// The last 64 bits of the digest.
  public let low: UInt64

  /// A key from its parts.
  public init(partition: UInt16, high: UInt64, low: UInt64) {
    precondition(partition < 1024, "a partition is two base-32 characters")
    (self.partition, self.high, self.low) = (partition, high, low)
  }

  /// nil: not a written key.
  public init?(_ text: some StringProtocol) {
    let bytes = Array(text.utf8)
    guard bytes.count == Self.textBytes, bytes.starts(with: "H-".utf8) else { return nil }
    var partition: UInt16 = 0
    for byte in bytes[2..<4] {
      guard let digit = Base32.digit(byte) else { return nil }
      partition = partition << 5 | UInt16(digit)
    }
    var digest: UInt128 = 0
    for (place, byte) in bytes[4...].enumerated() {
      guard let digit = Base32.digit(byte), place > 0 || digit < 8 else { return nil }
      digest = digest << 5 | UInt128(digit)
    }
    self.init(
      partition: partition, high: UInt64(truncatingIfNeeded: digest >> 64),
      low: UInt64(truncatingIfNeeded: digest))
  }

  /// The written form.
  public var description: String {
    String(unsafeUninitializedCapacity: Self.textBytes) { text in
      write(into: text.baseAddress!)
      return Self.textBytes
    }
  }

  /// Writes the written form, `textBytes` long.
  public func write(into text: UnsafeMutablePointer<UInt8>) {
    text[0] = UInt8(ascii: "H")
    text[1] = UInt8(ascii: "-")
    text[2] = Base32.character(UInt8(partition >> 5))
    text[3] = Base32.character(UInt8(partition & 31))
    // The digest is 26 digits of 5 bits: 2 of its top 8 bits, and 12 of each 60 that follow.
    text[4] = Base32.character(UInt8(high >> 61))
    text[5] = Base32.character(UInt8(truncatingIfNeeded: high >> 56))
    let (upper, lower) = (high << 4 | low >> 60, low)
    for place in 0..<12 {
      let shift = UInt64(55 - 5 * place)
      text[6 + place] = Base32.character(UInt8(truncatingIfNeeded: upper >> shift))
      text[18 + place] = Base32.character(UInt8(truncatingIfNeeded: lower >> shift))
    }
  }
}

/// One life of a hold: its key and its generation, the time when it was created.
///
/// Redis forgets a finished hold after its retention, and the same user and key may then make a new
/// one.  The generation keeps last week's delayed cancel away from this week's hold.
public struct HoldID: Hashable, Sendable, CustomStringConvertible {
  /// What the user and the key say.
  public let key: HoldKey
  /// Milliseconds since 1970, by Redis's clock.
  public let generation: UInt64

  /// An id from its parts.
  public init(key: HoldKey, generation: UInt64) {
    (self.key, self.generation) = (key, generation)
  }

  /// nil: not of the form `H-<28 characters>-<milliseconds>`.
  public init?(_ text: String) {
    guard text.utf8.count > HoldKey.textBytes + 1 else { return nil }
    let cut = text.utf8.index(text.startIndex, offsetBy: HoldKey.textBytes)
    let digits = text[text.utf8.index(after: cut)...]
    // One hold, one text: no sign and no zero in front.
    guard text.utf8[cut] == UInt8(ascii: "-"), let first = digits.utf8.first,
      (UInt8(ascii: "1")...UInt8(ascii: "9")).contains(first), let key = HoldKey(text[..<cut]),
      let generation = UInt64(digits)
    else { return nil }
    self.init(key: key, generation: generation)
  }

  /// Length of the written form at most.
  public static let textBytesMax = HoldKey.textBytes + 21

  /// `H-<partition><digest>-<generation>`
  public var description: String {
    String(unsafeUninitializedCapacity: Self.textBytesMax) { write(into: $0.baseAddress!) }
  }

  /// Writes the written form.
  /// - Parameter text: with room for `textBytesMax`.
  /// - Returns: its length.
  public func write(into text: UnsafeMutablePointer<UInt8>) -> Int {
    key.write(into: text)
    var digits = 1
    var rest = generation
    while rest >= 10 {
      rest /= 10
      digits += 1
    }
    text[HoldKey.textBytes] = UInt8(ascii: "-")
    rest = generation
    for place in stride(from: HoldKey.textBytes + digits, to: HoldKey.textBytes, by: -1) {
      text[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    return HoldKey.textBytes + 1 + digits
  }
}

/// Crockford's base 32, in capitals, without check symbols.
enum Base32 {
  private static let alphabet: StaticString = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

  static func character(_ digit: UInt8) -> UInt8 { alphabet.utf8Start[Int(digit & 31)] }

  static func digit(_ character: UInt8) -> UInt8? {
    for digit: UInt8 in 0..<32 where self.character(digit) == character { return digit }
    return nil
  }
}
