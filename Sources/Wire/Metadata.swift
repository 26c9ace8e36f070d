import CStockProto

/// Headers of a call, in order.  Keys are lower case by custom; unknown ones are ignored.
public struct Metadata: Sendable, Hashable, ExpressibleByDictionaryLiteral {
  /// One header.
  public struct Entry: Sendable, Hashable {
    /// Lower case by custom.
    public var key: String
    /// Any text.
    public var value: String
  }

  /// Headers of one call; more is an error of the caller.
  public static let entriesMax = 32
  /// W3C trace context: https://www.w3.org/TR/trace-context/
  public static let traceParentKey = "traceparent"
  /// Comes back in the reply's metadata, and stands in the server's log beside a failure.
  public static let requestIDKey = "x-request-id"
  /// A longer request id does not come back: the reply must fit into a frame.
  public static let requestIDBytesMax = 256

  /// The headers as they came.
  public var entries: [Entry]

  /// No headers.
  public init() { entries = [] }

  /// `["x-request-id": "7f3a"]`
  public init(dictionaryLiteral elements: (String, String)...) {
    entries = elements.map { Entry(key: $0.0, value: $0.1) }
  }

  /// The first value under a key.
  public subscript(key: String) -> String? { entries.first { $0.key == key }?.value }

  init(_ count: Int, _ list: UnsafeMutablePointer<UnsafeMutablePointer<Stock__V1__Metadata>?>?) {
    entries = (0..<count).compactMap { place in
      list?[place].map { Entry(key: $0.pointee.key.text, value: $0.pointee.value.text) }
    }
  }

  func list(
    _ arena: Arena
  ) -> UnsafeMutablePointer<UnsafeMutablePointer<Stock__V1__Metadata>?>? {
    arena.list(
      entries.map { entry -> UnsafeMutablePointer<Stock__V1__Metadata>? in
        var message = Stock__V1__Metadata()
        stock__v1__metadata__init(&message)
        message.key = arena.bytes(entry.key)
        message.value = arena.bytes(entry.value)
        return arena.place(message)
      })
  }
}
