import Audit
import Logging
import Wire

extension AuditFault {
  /// What a caller is told of it.  A store's own words go to the log.
  func status(_ logger: Logger) -> Status {
    switch self {
    case .interrupted(let fault):
      var status = fault.status(logger)
      status.outcomeUnknown = true
      return status
    case .redis, .books:
      logger.warning("an audit on demand has failed", metadata: ["reason": "\(self)"])
      var status = Status(
        .unavailable, reason: "STORE_UNREACHABLE", message: "The stock store cannot be reached.",
        retryable: true, retryAfterMs: 1_000)
      if case .books = self {
        (status.reason, status.message) = ("BOOKS_UNREACHABLE", "The books cannot be reached.")
      }
      return status
    case .storeRefuses:
      logger.warning("redis refuses a repair", metadata: ["reason": "\(self)"])
      return Status(
        .unavailable, reason: "STORE_REFUSED",
        message: "The stock store refuses to write; nothing was written.", retryable: true,
        retryAfterMs: 1_000)
    case .busy:
      return Status(
        .unavailable, reason: "REPAIR_BUSY", message: "Another repair is under way.",
        retryable: true, retryAfterMs: 1_000)
    case .planChanged(let plan):
      return Status(
        .aborted, reason: "PLAN_CHANGED",
        message: "Nothing was written, since something else would be by now: look at plan "
          + "\(plan.id).", field: "plan")
    case .refused(let plan):
      return Status(
        .failedPrecondition, reason: "REPAIR_REFUSED",
        message: "Nothing was written: " + plan.refusals.prefix(3).joined(separator: "; ") + ".")
    }
  }
}
