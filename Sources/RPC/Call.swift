import Glibc
public import Wire

/// One call on the server, from the moment it was read until it is answered.  It must be answered
/// exactly once; on a connection that has gone, the answer goes nowhere.
public struct Call {
  /// The request message, encoded.  Valid until the handler returns.
  public let message: UnsafeRawBufferPointer
  /// Nanoseconds of CLOCK_MONOTONIC.
  public let deadline: UInt64

  let id: UInt64
  let connection: Connection
  let record: CallRecord

  /// Memory for decoding the message, reset after the handler has returned.
  public var arena: Arena { connection.requestArena }

  /// The caller's headers.
  public var metadata: Metadata { record.metadata }

  /// Tells this connection's calls from those of others, for as long as the process lives.
  public var source: UInt64 { connection.number }

  /// Who calls.
  public var peer: Peer { connection.peer }

  /// Whether two are the same call.
  public static func === (one: Call, other: Call) -> Bool {
    one.id == other.id && one.connection === other.connection
  }

  /// Answers with a message.
  public func reply(_ message: some ReplyMessage) { connection.reply(to: id, message) }

  /// Answers with a failure.
  public func fail(_ status: Status) { connection.fail(id, status) }

  /// Says how to stop the work: called at most once, when the caller cancels or its connection dies.
  /// The call must be answered all the same.
  public func whenCancelled(_ stop: @escaping () -> Void) { record.stop = stop }
}

/// The methods that a server knows, by name.  A handler is synchronous: it validates, hands on and
/// returns; the answer comes through the call or the stream, then or later.  A `Status` that it
/// throws is the answer.
public struct MethodTable {
  /// Handles a call with one answer.
  public typealias Handler = (Call) throws(Status) -> Void
  /// Handles a call whose answer is a stream.
  public typealias StreamHandler = (Call, ResponseStream) throws(Status) -> Void

  enum Kind {
    case unary(Handler)
    case stream(StreamHandler)
  }

  /// One method.
  final class Entry {
    let name: String
    let bytes: [UInt8]
    let number: Int
    let kind: Kind

    var isStream: Bool {
      if case .stream = kind { true } else { false }
    }

    init(_ name: String, _ number: Int, _ kind: Kind) {
      (self.name, bytes, self.number, self.kind) = (name, Array(name.utf8), number, kind)
    }

    func isNamed(_ name: UnsafeRawBufferPointer) -> Bool {
      bytes.count == name.count
        && bytes.withUnsafeBytes { memcmp($0.baseAddress!, name.baseAddress!, name.count) } == 0
    }
  }

  private var entries: [Entry] = []

  /// A table without methods.
  public init() {}

  /// Adds a method, such as "stock.v1.Reservations/Reserve".
  public mutating func on(_ name: String, _ handler: @escaping Handler) {
    precondition(!name.isEmpty)
    entries.append(Entry(name, entries.count, .unary(handler)))
  }

  /// Adds a method that answers with a stream.
  public mutating func onStream(_ name: String, _ handler: @escaping StreamHandler) {
    precondition(!name.isEmpty)
    entries.append(Entry(name, entries.count, .stream(handler)))
  }

  /// The names, in the order of their numbers.
  public var names: [String] { entries.map(\.name) }

  /// The services that the methods belong to, such as "stock.v1.Reservations".
  public var services: Set<String> {
    Set(entries.map { String($0.name.prefix { $0 != "/" }) })
  }

  /// A handful of methods: comparing a few lengths is cheaper than hashing a name.
  func entry(for name: UnsafeRawBufferPointer) -> Entry? {
    entries.first { $0.isNamed(name) }
  }
}
