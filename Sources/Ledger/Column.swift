import Inventory

/// A parameter of a statement: an array in PostgreSQL's binary form, which needs no quoting and no
/// parsing on either side.  Its layout is that of `array_send` in PostgreSQL's arrayfuncs.c.
///
/// A column keeps its memory from batch to batch.  Owns it until deinit; one thread at a time.
final class Column {
  /// The types that are used, by their oid in pg_type.dat.
  enum Element: Int32 {
    case bytea = 17
    case bigint = 20
    case integer = 23
    case text = 25
    case timestamptz = 1184
    case uuid = 2950
  }

  /// PostgreSQL counts microseconds from 2000-01-01.
  private static let epochMs: Int64 = 946_684_800_000
  private static let headerBytes = 20

  private let element: Element
  private var memory: UnsafeMutableRawPointer
  private var capacity = 4096
  private var length = headerBytes
  /// How many elements it holds.
  private(set) var count = 0

  init(_ element: Element) {
    self.element = element
    memory = .allocate(byteCount: capacity, alignment: 8)
  }

  deinit { memory.deallocate() }

  /// Forgets the elements, and keeps the memory.
  func removeAll() { (length, count) = (Self.headerBytes, 0) }

  /// The array as it is sent; valid until the next change.
  var bytes: UnsafeRawBufferPointer {
    // One dimension, nulls may occur, of what type, how many, and the first index.
    for (place, part) in [1, 1, element.rawValue, Int32(count), 1].enumerated() {
      memory.storeBytes(of: part.bigEndian, toByteOffset: place * 4, as: Int32.self)
    }
    return UnsafeRawBufferPointer(start: memory, count: length)
  }

  // MARK: elements

  func add(_ text: String?) {
    guard let text else { return begin(bytes: -1) }
    let added: Void? = text.utf8.withContiguousStorageIfAvailable { utf8 in
      begin(bytes: utf8.count)
      guard let start = utf8.baseAddress else { return }
      (memory + length).copyMemory(from: start, byteCount: utf8.count)
      length += utf8.count
    }
    if added == nil {
      let utf8 = Array(text.utf8)
      begin(bytes: utf8.count)
      utf8.withUnsafeBytes {
        (memory + length).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
      }
      length += utf8.count
    }
  }

  func add<Integer: FixedWidthInteger>(_ number: Integer) {
    begin(bytes: MemoryLayout<Integer>.size)
    append(number)
  }

  /// Adds a null.
  func addNull() { begin(bytes: -1) }

  /// - Parameter ms: milliseconds since 1970, up to `Ledger.timeMsMax`.
  func add(ms: UInt64) { add((Int64(ms) - Self.epochMs) * 1000) }

  func add(bytes: [UInt8]) {
    begin(bytes: bytes.count)
    bytes.withUnsafeBytes {
      guard let start = $0.baseAddress else { return }
      (memory + length).copyMemory(from: start, byteCount: $0.count)
    }
    length += bytes.count
  }

  func add(uuid: (high: UInt64, low: UInt64)) {
    begin(bytes: 16)
    append(uuid.high)
    append(uuid.low)
  }

  /// The hold's id, followed by `/` and a version when there is one.
  func add(_ hold: HoldID, version: UInt64? = nil) {
    let place = length
    begin(bytes: 0)
    reserve(HoldKey.textBytes + 2 * 21)
    hold.key.write(into: (memory + length).assumingMemoryBound(to: UInt8.self))
    length += HoldKey.textBytes
    append(UInt8(ascii: "-"), digitsOf: hold.generation)
    if let version { append(UInt8(ascii: "/"), digitsOf: version) }
    let bytes = Int32(length - place - 4)
    memory.storeBytes(of: bytes.bigEndian, toByteOffset: place, as: Int32.self)
  }

  // MARK: memory

  /// Counts an element, writes its length (-1: null), and makes room for it.
  private func begin(bytes: Int) {
    count += 1
    reserve(4 + max(bytes, 0))
    append(Int32(bytes))
  }

  private func append<Integer: FixedWidthInteger>(_ number: Integer) {
    memory.storeBytes(of: number.bigEndian, toByteOffset: length, as: Integer.self)
    length += MemoryLayout<Integer>.size
  }

  private func append(_ mark: UInt8, digitsOf number: UInt64) {
    append(mark)
    var digits = 1
    var rest = number
    while rest >= 10 {
      rest /= 10
      digits += 1
    }
    rest = number
    for place in stride(from: length + digits - 1, through: length, by: -1) {
      memory.storeBytes(
        of: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10), toByteOffset: place,
        as: UInt8.self)
      rest /= 10
    }
    length += digits
  }

  private func reserve(_ bytes: Int) {
    guard length + bytes > capacity else { return }
    capacity = max(capacity * 2, length + bytes)
    let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 8)
    larger.copyMemory(from: memory, byteCount: length)
    memory.deallocate()
    memory = larger
  }
}
