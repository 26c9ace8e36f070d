/// Where a call stands in its caller's trace: https://www.w3.org/TR/trace-context/.  It travels with
/// what the call changes, and decides nothing.
public struct TraceContext: Hashable, Sendable {
  /// Length of the binary form: trace id, parent id, flags.
  public static let bytesCount = 25

  /// The first eight bytes of the trace id, first byte highest.
  public let traceHigh: UInt64
  /// The last eight bytes of the trace id.
  public let traceLow: UInt64
  /// The id of the caller's span.
  public let parent: UInt64
  /// Bit 0: sampled.
  public let flags: UInt8

  /// A context from its parts; nil when the trace or the parent is all zeros, which the
  /// recommendation forbids.
  public init?(traceHigh: UInt64, traceLow: UInt64, parent: UInt64, flags: UInt8) {
    guard traceHigh | traceLow != 0, parent != 0 else { return nil }
    self.traceHigh = traceHigh
    self.traceLow = traceLow
    self.parent = parent
    self.flags = flags
  }

  /// Reads the value of a `traceparent` header, `00-<32>-<16>-<2>` in lower-case hexadecimal digits.
  /// Of a later version the same part is read, and what follows it left alone.  nil: not one.
  public init?(traceparent text: UnsafeRawBufferPointer) {
    guard text.count >= 55, [2, 35, 52].allSatisfy({ text[$0] == UInt8(ascii: "-") }),
      let version = Self.number(text[..<2]), version != 0xFF,
      text.count == 55 || version > 0 && text[55] == UInt8(ascii: "-"),
      let high = Self.number(text[3..<19]), let low = Self.number(text[19..<35]),
      let parent = Self.number(text[36..<52]), let flags = Self.number(text[53..<55])
    else { return nil }
    self.init(traceHigh: high, traceLow: low, parent: parent, flags: UInt8(flags))
  }

  /// Reads the binary form; nil when it is not one.
  public init?(binary bytes: UnsafeRawBufferPointer) {
    guard bytes.count == Self.bytesCount else { return nil }
    func word(_ offset: Int) -> UInt64 {
      UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    self.init(traceHigh: word(0), traceLow: word(8), parent: word(16), flags: bytes[24])
  }

  /// Trace id, parent id and flags, 25 bytes.
  public var binary: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.bytesCount)
    for word in [traceHigh, traceLow, parent] {
      withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) }
    }
    bytes.append(flags)
    return bytes
  }

  /// The value of a `traceparent` header of version 00.
  public var traceparent: String {
    let hex = binary.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    let digits = Array(hex)
    return "00-\(String(digits[..<32]))-\(String(digits[32..<48]))-\(String(digits[48...]))"
  }

  private static func number(_ digits: Slice<UnsafeRawBufferPointer>) -> UInt64? {
    var number: UInt64 = 0
    for digit in digits {
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        number = number << 4 | UInt64(digit - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"):
        number = number << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
      default: return nil
      }
    }
    return number
  }
}
