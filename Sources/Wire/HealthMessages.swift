import CStockProto

/// Asks how the server is.
public struct HealthCheckRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = HealthCheckReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Health/Check"

  /// "stock.v1.Reservations"; empty: the server as a whole.
  public var service: String

  /// Asks about one service, or about the whole.
  public init(service: String = "") { self.service = service }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws(Status) {
    guard let message = arena.unpack(bytes, stock__v1__health_check_request__unpack) else {
      throw .malformedMessage
    }
    service = message.pointee.service.text
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__HealthCheckRequest()
    stock__v1__health_check_request__init(&message)
    message.service = arena.bytes(service)
    buffer.append(message: &message)
  }
}

/// Whether a server sells.
public enum ServingStatus: UInt8, Sendable {
  case serving = 1
  /// Selling, but weaker than promised.
  case degraded = 2
  /// Not selling.
  case notServing = 3

  /// The name on the wire and in JSON.
  public var name: String {
    switch self {
    case .serving: "SERVING"
    case .degraded: "DEGRADED"
    case .notServing: "NOT_SERVING"
    }
  }
}

/// How the server is.
public struct HealthCheckReply: ReplyMessage, Sendable, Hashable {
  /// nil: one that this version does not know.
  public var status: ServingStatus?
  /// What is wrong, a sentence each.
  public var warnings: [String]
  /// Of the server.
  public var version: String

  /// A reply from its parts.
  public init(status: ServingStatus, warnings: [String], version: String) {
    self.status = status
    self.warnings = warnings
    self.version = version
  }

  /// Appends the encoded message: by hand, since load balancers ask all the time.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    if let status { buffer.append(field: 1, UInt64(status.rawValue)) }
    for warning in warnings { buffer.append(field: 2, text: warning) }
    if !version.isEmpty { buffer.append(field: 3, text: version) }
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard let message = arena.unpack(bytes, stock__v1__health_check_reply__unpack) else {
      throw MessageError()
    }
    status = UInt8(exactly: message.pointee.status.rawValue).flatMap { ServingStatus(rawValue: $0) }
    warnings = (0..<message.pointee.n_warnings).map { message.pointee.warnings[$0].text }
    version = message.pointee.version.text
  }
}
