/// A parameter of a statement: an array in PostgreSQL's binary form, which needs no quoting and no
/// parsing on either side.  Its layout is that of `array_send` in PostgreSQL's arrayfuncs.c.
struct Column {
  /// The types that are used, by their oid in pg_type.dat.
  enum Element: Int32 {
    case bigint = 20
    case integer = 23
    case text = 25
    case timestamptz = 1184
  }

  /// PostgreSQL counts microseconds from 2000-01-01.
  private static let epochMs: Int64 = 946_684_800_000
  private static let countOffset = 12

  private(set) var bytes: [UInt8] = []
  private var count: Int32 = 0

  init(_ element: Element, rows: Int) {
    bytes.reserveCapacity(20 + rows * 32)
    append(Int32(1))  // one dimension
    append(Int32(1))  // nulls may occur
    append(element.rawValue)
    append(Int32(0))  // the count, written over by every element
    append(Int32(1))  // the first index
  }

  mutating func add(_ text: String?) {
    countOne()
    guard var text else { return append(Int32(-1)) }
    text.withUTF8 { utf8 in
      append(Int32(utf8.count))
      bytes.append(contentsOf: utf8)
    }
  }

  mutating func add<Integer: FixedWidthInteger>(_ number: Integer) {
    countOne()
    append(Int32(MemoryLayout<Integer>.size))
    append(number)
  }

  /// - Parameter ms: milliseconds since 1970, up to `Ledger.timeMsMax`.
  mutating func add(ms: UInt64) { add(Self.microseconds(ms)) }

  /// A time as PostgreSQL keeps it.
  static func microseconds(_ ms: UInt64) -> Int64 { (Int64(ms) - epochMs) * 1000 }

  private mutating func countOne() {
    count += 1
    withUnsafeBytes(of: count.bigEndian) { digits in
      for place in 0..<4 { bytes[Self.countOffset + place] = digits[place] }
    }
  }

  private mutating func append<Integer: FixedWidthInteger>(_ number: Integer) {
    withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
  }
}
