/// Why a stream of bytes cannot be read any further.  The connection is closed.
public enum FrameError: Error, Equatable, CustomStringConvertible {
  case tooLong(bytes: Int)
  case notAnEnvelope

  /// The reason for the log.
  public var description: String {
    switch self {
    case .tooLong(let bytes):
      "a frame of \(bytes) bytes is over the limit of \(Frame.payloadBytesMax)"
    case .notAnEnvelope: "a frame does not hold an envelope"
    }
  }
}

/// Four bytes, big-endian, the length of what follows.
public enum Frame {
  /// Length of the length.
  public static let headerBytes = 4
  /// The longest payload: room for a batch of 4,096 reserves of 512 bytes each.
  public static let payloadBytesMax = 2 * 1024 * 1024

  /// The first payload in `bytes`, where it lies; nil while more bytes are needed.
  public static func next(in bytes: UnsafeRawBufferPointer) throws(FrameError)
    -> UnsafeRawBufferPointer?
  {
    guard bytes.count >= headerBytes else { return nil }
    let length = Int(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
    guard length <= payloadBytesMax else { throw .tooLong(bytes: length) }
    guard bytes.count >= headerBytes + length else { return nil }
    return UnsafeRawBufferPointer(rebasing: bytes[headerBytes..<headerBytes + length])
  }
}

extension ByteBuffer {
  /// Appends one frame around a message.
  mutating func appendFrame<Message>(_ message: inout Message) {
    let size = encodedBytes(&message)
    precondition(size <= Frame.payloadBytesMax, "a frame that the peer would refuse")
    room(Frame.headerBytes + size)
      .storeBytes(of: UInt32(size).bigEndian, as: UInt32.self)
    advance(Frame.headerBytes)
    advance(encode(&message, into: room(size)))
  }
}
