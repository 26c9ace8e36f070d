/// A reply message: what a method answers when it does not fail.
public protocol ReplyMessage {
  /// Appends the encoded message.
  func encode(into buffer: inout ByteBuffer, arena: Arena)

  /// Decodes a message.
  /// - Throws: `MessageError` when the bytes are not one.
  init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws
}

/// A request message as a client writes it.  The server decodes it into a valid `Operation` instead.
public protocol RequestMessage {
  /// What the method answers.
  associatedtype Reply: ReplyMessage & Sendable

  /// "stock.v1.Reservations/Reserve"
  static var method: String { get }

  /// Appends the encoded message.
  func encode(into buffer: inout ByteBuffer, arena: Arena)
}

/// A request whose answer is a stream: `Reply` is one item.
public protocol StreamRequest: RequestMessage {}

/// Bytes that are not the message which they should be.
public struct MessageError: Error {
  /// An error without detail: the bytes have none.
  public init() {}
}
