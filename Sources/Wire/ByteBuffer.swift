import Glibc
import Inventory

/// Bytes on their way in or out of a socket: appended at the end, consumed from the front.
/// One owner; its memory grows as needed and is freed with it.
public struct ByteBuffer: ~Copyable {
  @usableFromInline var base: UnsafeMutableRawPointer
  @usableFromInline var capacity: Int
  @usableFromInline var head = 0
  @usableFromInline var tail = 0

  /// An empty buffer with room for `capacity` bytes.
  public init(capacity: Int = 4096) {
    precondition(capacity > 0)
    self.capacity = capacity
    base = .allocate(byteCount: capacity, alignment: 16)
  }

  deinit { base.deallocate() }

  /// Bytes appended and not yet consumed.
  @inlinable
  public var count: Int { tail - head }

  /// Nothing to consume.
  @inlinable
  public var isEmpty: Bool { head == tail }

  /// What can be consumed.  Valid until the next append.
  @inlinable
  public var readable: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: base + head, count: tail - head)
  }

  /// Takes `count` bytes off the front.
  public mutating func consume(_ count: Int) {
    precondition(count <= tail - head)
    head += count
    if head == tail {
      head = 0
      tail = 0
    }
  }

  /// Copies bytes to the end.
  @inlinable
  public mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress, bytes.count > 0 else { return }
    room(bytes.count).copyMemory(from: start, byteCount: bytes.count)
    advance(bytes.count)
  }

  /// Copies a text's UTF-8 to the end.
  public mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  /// Appends a number in decimal.
  public mutating func append(decimal number: UInt64) {
    let start = room(20)
    var (place, rest) = (20, number)
    repeat {
      place -= 1
      let digit = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      start.storeBytes(of: digit, toByteOffset: place, as: UInt8.self)
      rest /= 10
    } while rest > 0
    memmove(start, start + place, 20 - place)
    advance(20 - place)
  }

  mutating func append(bigEndian number: UInt32) {
    room(4).storeBytes(of: number.bigEndian, as: UInt32.self)
    advance(4)
  }

  /// Appends a number as protobuf does: seven bits a byte, the lowest first.
  mutating func append(varint number: UInt64) {
    let start = room(10)
    var (rest, count) = (number, 0)
    while rest >= 0x80 {
      start.storeBytes(
        of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
      rest >>= 7
      count += 1
    }
    start.storeBytes(of: UInt8(rest), toByteOffset: count, as: UInt8.self)
    advance(count + 1)
  }

  /// Appends a field whose value is a text.
  mutating func append(field: UInt64, text: String) {
    append(varint: field << 3 | 2)
    append(varint: UInt64(text.utf8.count))
    append(text)
  }

  /// Appends a field whose value is bytes.
  mutating func append(field: UInt64, bytes: UnsafeRawBufferPointer) {
    append(varint: field << 3 | 2)
    append(varint: UInt64(bytes.count))
    append(bytes)
  }

  /// Appends a field whose value is a hold's id.
  mutating func append(field: UInt64, _ id: HoldID) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: HoldID.textBytesMax) { text in
      let count = id.write(into: text.baseAddress!)
      append(field: field, bytes: UnsafeRawBufferPointer(start: text.baseAddress, count: count))
    }
  }

  /// Appends a field whose value is a number.
  mutating func append(field: UInt64, _ number: UInt64) {
    append(varint: field << 3)
    append(varint: number)
  }

  /// Room for `count` bytes at the end, to be filled before `advance`.
  @inlinable
  public mutating func room(_ count: Int) -> UnsafeMutableRawPointer {
    if tail + count > capacity { makeRoom(count) }
    return base + tail
  }

  /// Says that `count` bytes of the room have been filled.
  @inlinable
  public mutating func advance(_ count: Int) {
    precondition(tail + count <= capacity)
    tail += count
  }

  /// Overwrites bytes that were appended before, `offset` from the first readable one.
  public mutating func overwrite(at offset: Int, with bytes: UnsafeRawBufferPointer) {
    precondition(offset + bytes.count <= count)
    guard let start = bytes.baseAddress else { return }
    (base + head + offset).copyMemory(from: start, byteCount: bytes.count)
  }

  /// Frees memory that a burst has left behind.  Call when empty.
  public mutating func shrink(to size: Int) {
    guard isEmpty, capacity > size else { return }
    base.deallocate()
    base = .allocate(byteCount: size, alignment: 16)
    capacity = size
  }

  @usableFromInline
  mutating func makeRoom(_ more: Int) {
    let needed = count + more
    if needed <= capacity, head >= capacity / 2 {
      base.copyMemory(from: base + head, byteCount: count)
    } else {
      let size = max(capacity * 2, needed)
      let grown = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
      grown.copyMemory(from: base + head, byteCount: count)
      base.deallocate()
      base = grown
      capacity = size
    }
    tail -= head
    head = 0
  }
}

/// How long a number is as protobuf writes it, in bytes.
func varintBytes(_ number: UInt64) -> Int {
  max(1, (UInt64.bitWidth - number.leadingZeroBitCount + 6) / 7)
}
