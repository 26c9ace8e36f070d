import CStockProto

extension Status {
  /// What the wire says beside the code.
  func detail(_ arena: Arena) -> Stock__V1__ErrorDetail {
    var detail = Stock__V1__ErrorDetail()
    stock__v1__error_detail__init(&detail)
    detail.reason = arena.bytes(reason)
    detail.message = arena.bytes(message)
    detail.field = arena.bytes(field)
    detail.retryable = retryable ? 1 : 0
    detail.retry_after_ms = retryAfterMs
    detail.outcome_unknown = outcomeUnknown ? 1 : 0
    return detail
  }

  /// - Parameter code: not OK.
  init(_ code: Code, _ detail: Stock__V1__ErrorDetail?) {
    guard let detail else {
      self.init(code, reason: "UNSPECIFIED", message: "The server gave no detail.")
      return
    }
    self.init(
      code, reason: detail.reason.text, message: detail.message.text, field: detail.field.text,
      retryable: detail.retryable != 0, retryAfterMs: detail.retry_after_ms,
      outcomeUnknown: detail.outcome_unknown != 0)
  }
}
