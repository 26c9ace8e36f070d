import HotPath
import Inventory
import Wire

// The one place that turns what went wrong behind the server into what a caller is told.  Redis's
// own texts are in the log.

extension Status {
  /// Redis has lost data, or has not been opened since it was started.
  static func fenced(outcomeUnknown: Bool) -> Status {
    Status(
      .unavailable, reason: "STORE_FENCED",
      message: "The stock store has been restarted or has lost data, and is not open to the sale.",
      retryable: true, retryAfterMs: 1_000, outcomeUnknown: outcomeUnknown)
  }

  /// An operation without an answer.
  init(_ fault: StoreFault, absence: Store.Absence?) {
    switch fault {
    case .deadline(let sent) where absence == .notOpened || absence == .lost:
      self = .fenced(outcomeUnknown: sent)
    case .deadline(let sent) where absence == .unreachable:
      self.init(
        .unavailable, reason: "STORE_UNREACHABLE", message: "The stock store cannot be reached.",
        retryable: true, retryAfterMs: 250, outcomeUnknown: sent)
    case .deadline(let sent):
      self.init(
        .deadlineExceeded, reason: "DEADLINE", message: "The call's deadline passed.",
        retryable: true, outcomeUnknown: sent)
    case .closing(let sent):
      self.init(
        .unavailable, reason: "SHUTTING_DOWN", message: "This server is shutting down.",
        retryable: true, outcomeUnknown: sent)
    case .overloaded(let retryAfterMs):
      self.init(
        .resourceExhausted, reason: "OVERLOADED",
        message: "More calls are waiting than this server can answer in time.", retryable: true,
        retryAfterMs: retryAfterMs)
    case .cancelled:
      self.init(
        .cancelled, reason: "CANCELLED",
        message: "The caller took the call back before anything was done.")
    case .refused(let sent):
      self.init(
        .unavailable, reason: "STORE_REFUSED", message: "The stock store refuses to write.",
        retryable: true, retryAfterMs: 250, outcomeUnknown: sent)
    case .failed:
      self.init(
        .internal, reason: "STORE_FAILED",
        message: "The stock store answered in a way that this server does not expect.",
        outcomeUnknown: true)
    }
  }

  /// An operation that the script refused; nil for a business outcome.
  init?(refusal answer: Answer, sku: @autoclosure () -> SKU? = nil) {
    switch answer.outcome {
    case .keyReused:
      self.init(
        .alreadyExists, reason: "IDEMPOTENCY_KEY_REUSED",
        message: "This user has used the idempotency key for another request.",
        field: "idempotency_key")
    case .paymentRefMismatch:
      self.init(
        .alreadyExists, reason: "PAYMENT_REF_MISMATCH",
        message: "The hold was confirmed with another payment reference.", field: "payment_ref")
    case .requestIDReused:
      self.init(
        .alreadyExists, reason: "REQUEST_ID_REUSED",
        message: "The request id was used for another request.", field: "request_id")
    case .stockMismatch:
      let name = sku()?.text ?? "<sku>"
      let found = answer.shown.map { $0.isEmpty ? "nothing" : "'\($0.prefix(40))'" } ?? "nothing"
      self.init(
        .failedPrecondition, reason: "STOCK_MISMATCH",
        message: "\(name) is closed: stock:\(name) in Redis holds \(found), the books say "
          + "\(answer.figures?.available ?? 0) available. Put it right, then run "
          + "'stockctl stock adopt \(name)'.")
    case .holdUnreadable:
      self.init(
        .failedPrecondition, reason: "HOLD_UNREADABLE",
        message: "The hold's record in Redis was not written by this version of the service.")
    case .storeFull:
      self.init(
        .resourceExhausted, reason: "STORE_FULL",
        message: "The stock store is near its memory limit: no new holds for now.",
        retryable: true, retryAfterMs: 1_000)
    case .backlog:
      self.init(
        .resourceExhausted, reason: "BACKLOG",
        message: "Too many events wait for the books: no new holds for now.",
        retryable: true, retryAfterMs: 1_000)
    case .tooManyUnits:
      self.init(
        .outOfRange, reason: "TOO_MANY_UNITS",
        message: "Available, held and sold together may be \(Limits.stockUnitsMax) units.",
        field: "available")
    default: return nil
    }
  }
}
