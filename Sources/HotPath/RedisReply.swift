import CHiredis

/// A reply where hiredis keeps it: valid only inside the completion that it was handed to.
public struct RedisReply {
  private let raw: UnsafeMutablePointer<redisReply>

  init?(_ pointer: UnsafeMutableRawPointer?) {
    guard let pointer else { return nil }
    raw = pointer.assumingMemoryBound(to: redisReply.self)
  }

  private init(_ raw: UnsafeMutablePointer<redisReply>) { self.raw = raw }

  /// The text of an error reply; nil for any other.
  public var error: String? {
    raw.pointee.type == REDIS_REPLY_ERROR ? String(decoding: bytes, as: UTF8.self) : nil
  }

  /// The bytes of a string or status reply; empty for any other.
  public var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: raw.pointee.str, count: raw.pointee.str == nil ? 0 : raw.pointee.len)
  }

  /// The text of a string or status reply; nil for nil.
  public var text: String? {
    raw.pointee.type == REDIS_REPLY_NIL ? nil : String(decoding: bytes, as: UTF8.self)
  }

  /// The value of an integer reply; 0 for any other.
  public var integer: Int64 { raw.pointee.integer }

  /// The elements of an array reply; none for any other.
  public var elements: [RedisReply] {
    (0..<raw.pointee.elements).map { RedisReply(raw.pointee.element[$0]!) }
  }

  /// How many elements an array reply has.
  public var count: Int { raw.pointee.elements }

  /// One element of an array reply.
  public subscript(place: Int) -> RedisReply {
    precondition(place < raw.pointee.elements)
    return RedisReply(raw.pointee.element[place]!)
  }
}
