/// What a fuzzer's bytes decide, one after the other; zero when there are no more.
struct Choices {
  private let bytes: UnsafeRawBufferPointer
  private var place = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var isEmpty: Bool { place >= bytes.count }

  mutating func byte() -> UInt8 {
    guard place < bytes.count else { return 0 }
    defer { place += 1 }
    return bytes[place]
  }

  /// A number below a limit of at most 256.
  mutating func below(_ limit: Int) -> Int { Int(byte()) % limit }

  /// A number of any size, small ones more often: one byte says how many follow.
  mutating func number() -> UInt64 {
    var value: UInt64 = 0
    for _ in 0..<below(9) { value = value << 8 | UInt64(byte()) }
    return value
  }

  /// The next bytes, where they lie, as many as there are.
  mutating func take(_ count: Int) -> UnsafeRawBufferPointer {
    let end = min(place + count, bytes.count)
    defer { place = end }
    return UnsafeRawBufferPointer(rebasing: bytes[place..<end])
  }

  mutating func rest() -> UnsafeRawBufferPointer { take(bytes.count) }
}
