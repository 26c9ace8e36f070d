/// gRPC's status codes, by number and meaning.
public enum Code: UInt32, Sendable, CaseIterable {
  case ok = 0
  case cancelled = 1
  case unknown = 2
  case invalidArgument = 3
  case deadlineExceeded = 4
  case notFound = 5
  case alreadyExists = 6
  case permissionDenied = 7
  case resourceExhausted = 8
  case failedPrecondition = 9
  case aborted = 10
  case outOfRange = 11
  case unimplemented = 12
  case `internal` = 13
  case unavailable = 14
  case dataLoss = 15
  case unauthenticated = 16

  /// The name in WIRE.md and in JSON.
  public var name: String {
    switch self {
    case .ok: "OK"
    case .cancelled: "CANCELLED"
    case .unknown: "UNKNOWN"
    case .invalidArgument: "INVALID_ARGUMENT"
    case .deadlineExceeded: "DEADLINE_EXCEEDED"
    case .notFound: "NOT_FOUND"
    case .alreadyExists: "ALREADY_EXISTS"
    case .permissionDenied: "PERMISSION_DENIED"
    case .resourceExhausted: "RESOURCE_EXHAUSTED"
    case .failedPrecondition: "FAILED_PRECONDITION"
    case .aborted: "ABORTED"
    case .outOfRange: "OUT_OF_RANGE"
    case .unimplemented: "UNIMPLEMENTED"
    case .internal: "INTERNAL"
    case .unavailable: "UNAVAILABLE"
    case .dataLoss: "DATA_LOSS"
    case .unauthenticated: "UNAUTHENTICATED"
    }
  }
}

/// A call that failed: never a business outcome, and never OK.
public struct Status: Error, Hashable, Sendable, CustomStringConvertible {
  /// gRPC's code.
  public var code: Code
  /// One word for a program, from the table in WIRE.md.
  public var reason: String
  /// One sentence for a person.
  public var message: String
  /// The request field at fault, or empty.
  public var field: String
  /// The same call, unchanged, may succeed later.
  public var retryable: Bool
  /// Wait at least this long before repeating; 0: no advice.
  public var retryAfterMs: UInt32
  /// The call may or may not have happened; repeat it unchanged to learn.
  public var outcomeUnknown: Bool

  /// A status from its parts.
  public init(
    _ code: Code, reason: String, message: String, field: String = "", retryable: Bool = false,
    retryAfterMs: UInt32 = 0, outcomeUnknown: Bool = false
  ) {
    precondition(code != .ok, "an OK is not a failure")
    self.code = code
    self.reason = reason
    self.message = message
    self.field = field
    self.retryable = retryable
    self.retryAfterMs = retryAfterMs
    self.outcomeUnknown = outcomeUnknown
  }

  /// Code, reason and message in one line.
  public var description: String {
    var line = "\(code.name) (\(reason)): \(message)"
    if outcomeUnknown { line += " The outcome is unknown: repeat the same call to learn it." }
    return line
  }

  /// A field is outside its range.
  public static func invalid(_ field: String, _ rule: String) -> Status {
    Status(
      .invalidArgument, reason: "INVALID_FIELD", message: "\(field) must be \(rule).", field: field)
  }

  /// The message is not the method's request.
  public static let malformedMessage = Status(
    .invalidArgument, reason: "MALFORMED_MESSAGE",
    message: "The message is not the method's request message.")
}
