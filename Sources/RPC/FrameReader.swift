import Wire

/// Cuts what a socket brings into frames, where the bytes lie; only the rest of an unfinished frame is
/// kept.  A value without I/O; `ByteChannel` owns one.
struct FrameReader: ~Copyable {
  /// Memory that a quiet connection keeps.
  private static let quietBytes = 1024
  /// More than this is given back at once, less when the connection has become quiet.
  private static let busyBytes = 64 * 1024

  private var leftover = ByteBuffer(capacity: quietBytes)

  /// Bytes of a frame that has begun and not ended.
  var unfinishedBytes: Int { leftover.count }

  /// Takes bytes that follow the last ones.
  /// - Parameter deliver: told each payload, which is valid until it returns, in order; false: nothing
  ///   more is wanted now, and the rest is kept for the next bytes, of which there may be none.  It
  ///   must not touch the reader.
  mutating func take(
    _ bytes: UnsafeRawBufferPointer,
    _ deliver: (UnsafeRawBufferPointer) throws(FrameError) -> Bool
  ) throws(FrameError) {
    if leftover.isEmpty {
      let used = try Self.cut(bytes, deliver)
      leftover.append(UnsafeRawBufferPointer(rebasing: bytes[used...]))
    } else {
      leftover.append(bytes)
      leftover.consume(try Self.cut(leftover.readable, deliver))
    }
    leftover.shrink(to: Self.busyBytes)
  }

  /// Gives back memory that a burst has left behind.
  mutating func becameQuiet() { leftover.shrink(to: Self.quietBytes) }

  /// - Returns: bytes of the frames that were delivered.
  private static func cut(
    _ bytes: UnsafeRawBufferPointer,
    _ deliver: (UnsafeRawBufferPointer) throws(FrameError) -> Bool
  ) throws(FrameError) -> Int {
    var used = 0
    while let payload = try Frame.next(in: UnsafeRawBufferPointer(rebasing: bytes[used...])) {
      used += Frame.headerBytes + payload.count
      guard try deliver(payload) else { break }
    }
    return used
  }
}
