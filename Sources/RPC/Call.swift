public import Wire

/// One call on the server, from the moment it was read until it is answered.  It must be answered
/// exactly once; on a connection that has gone, the answer goes nowhere.
public struct Call {
  /// The request message, encoded.  Valid until the handler returns.
  public let message: UnsafeRawBufferPointer
  /// Memory for decoding it, reset after the handler has returned.
  public let arena: Arena
  /// Nanoseconds of CLOCK_MONOTONIC.
  public let deadline: UInt64

  let id: UInt64
  let connection: Connection

  /// Answers with a message.
  public func reply(_ message: some ReplyMessage) { connection.reply(to: id, message) }

  /// Answers with a failure.
  public func fail(_ status: Status) { connection.fail(id, status) }
}

/// The methods that a server knows, by name.  A handler is synchronous: it validates, hands on and
/// returns; the answer comes through the call, then or later.  A `Status` that it throws is the
/// answer.
public struct MethodTable {
  /// Handles one call.
  public typealias Handler = (Call) throws(Status) -> Void

  private var methods: [(name: [UInt8], handler: Handler)] = []

  /// A table without methods.
  public init() {}

  /// Adds a method, such as "stock.v1.Reservations/Reserve".
  public mutating func on(_ name: String, _ handler: @escaping Handler) {
    methods.append((Array(name.utf8), handler))
  }

  /// A handful of methods: comparing a few lengths is cheaper than hashing a name.
  func handler(for name: UnsafeRawBufferPointer) -> Handler? {
    for method in methods
    where method.name.count == name.count && method.name.elementsEqual(name) {
      return method.handler
    }
    return nil
  }
}
