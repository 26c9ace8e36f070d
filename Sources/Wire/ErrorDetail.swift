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

  /// Appends the same, and its length before it.
  func appendDetail(to buffer: inout ByteBuffer) {
    func bytes(_ text: String) -> Int {
      let count = text.utf8.count
      return count == 0 ? 0 : 1 + varintBytes(UInt64(count)) + count
    }
    let flags = (retryable ? 2 : 0) + (outcomeUnknown ? 2 : 0)
    let wait = retryAfterMs == 0 ? 0 : 1 + varintBytes(UInt64(retryAfterMs))
    buffer.append(varint: UInt64(bytes(reason) + bytes(message) + bytes(field) + flags + wait))
    if !reason.isEmpty { buffer.append(field: 1, text: reason) }
    if !message.isEmpty { buffer.append(field: 2, text: message) }
    if !field.isEmpty { buffer.append(field: 3, text: field) }
    if retryable { buffer.append(field: 4, 1) }
    if retryAfterMs > 0 { buffer.append(field: 5, UInt64(retryAfterMs)) }
    if outcomeUnknown { buffer.append(field: 6, 1) }
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
