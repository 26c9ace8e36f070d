import Wire

/// Every reason for a failure: what WIRE.md says of it, and what a client finds by itself.
struct ErrorReason {
  let code: Code
  let reason: String
  let when: String
  let advice: String

  /// Of a command that ends with it, unless its outcome is unknown.
  var exit: ExitReason { ExitReason(code: code, reason: reason) }

  init(_ code: Code, _ reason: String, _ when: String, _ advice: String) {
    (self.code, self.reason, self.when, self.advice) = (code, reason, when, advice)
  }

  static let all = wire + client

  /// As in the table of WIRE.md, word for word.
  static let wire: [ErrorReason] = [
    ErrorReason(
      .invalidArgument, "INVALID_FIELD",
      "a field is outside its range; field names it",
      "correct the call"),
    ErrorReason(
      .invalidArgument, "MALFORMED_MESSAGE",
      "the message is not the method's",
      "correct the client"),
    ErrorReason(
      .unimplemented, "UNKNOWN_METHOD",
      "no such method here",
      "correct the client, or talk to a newer server"),
    ErrorReason(
      .alreadyExists, "IDEMPOTENCY_KEY_REUSED",
      "this user used the key for another sku, qty or ttl",
      "a new key for a new request"),
    ErrorReason(
      .alreadyExists, "PAYMENT_REF_MISMATCH",
      "the hold is confirmed, with another payment",
      "look at the hold"),
    ErrorReason(
      .alreadyExists, "REQUEST_ID_REUSED",
      "the request id was used for another Set, Adjust or Retire",
      "a new id for a new change"),
    ErrorReason(
      .failedPrecondition, "STOCK_MISMATCH",
      "stock:<sku> is not what the service wrote; the SKU is closed",
      "a person: stockctl stock adopt SKU"),
    ErrorReason(
      .failedPrecondition, "HOLD_UNREADABLE",
      "the hold's record in Redis was not written by this version",
      "a person: look at hold:H-…"),
    ErrorReason(
      .failedPrecondition, "ACKNOWLEDGE_UNAVAILABLE",
      "Redis, as it is set now, cannot keep the level; the message says why",
      "another level, or a person: Redis's settings, its replicas, the worker"),
    ErrorReason(
      .outOfRange, "TOO_MANY_UNITS",
      "more than 10^12 units of a SKU in all",
      "set or add less"),
    ErrorReason(
      .outOfRange, "TOKEN_TOO_OLD",
      "events after this token are gone; the message names the earliest",
      "read the state anew, then follow from the earliest"),
    ErrorReason(
      .outOfRange, "TOKEN_UNKNOWN",
      "the store has lost events that you have seen",
      "read the state anew, then follow without a token"),
    ErrorReason(
      .resourceExhausted, "STORE_FULL",
      "Redis is near its memory limit; only Reserve is refused",
      "repeat after retry_after_ms"),
    ErrorReason(
      .resourceExhausted, "BACKLOG",
      "too many events wait for the books; only new holds are refused",
      "repeat after retry_after_ms"),
    ErrorReason(
      .resourceExhausted, "OVERLOADED",
      """
      the call would wait for more than 100 ms, or longer than its timeout; no stream begins \
      meanwhile
      """,
      "repeat after retry_after_ms"),
    ErrorReason(
      .resourceExhausted, "TOO_MANY_CALLS",
      "16,384 calls are in flight on this connection",
      "wait for answers, then repeat"),
    ErrorReason(
      .resourceExhausted, "TOO_MANY_BYTES",
      "8 MiB of requests are in flight on this connection",
      "wait for answers, then repeat"),
    ErrorReason(
      .resourceExhausted, "TOO_MANY_STREAMS",
      "64 streams are open on this connection",
      "end one, or take another connection"),
    ErrorReason(
      .cancelled, "CANCELLED",
      "you cancelled the call before it was sent to Redis",
      "nothing"),
    ErrorReason(
      .failedPrecondition, "PROTOCOL_UNSUPPORTED",
      "no version of the protocol is spoken by both sides",
      "a newer client or server"),
    ErrorReason(
      .notFound, "UNKNOWN_LETTER",
      "no dead letter of this event (worker)",
      "nothing: it was replayed or discarded"),
    ErrorReason(
      .unavailable, "BOOKS_UNREACHABLE",
      "PostgreSQL is away, or too slow (worker)",
      "repeat after retry_after_ms"),
    ErrorReason(
      .unavailable, "REPAIR_BUSY",
      "another repair is under way (worker)",
      "repeat after retry_after_ms"),
    ErrorReason(
      .aborted, "PLAN_CHANGED",
      "the repair would write something else by now; nothing was written (worker)",
      "plan again, and look"),
    ErrorReason(
      .failedPrecondition, "REPAIR_REFUSED",
      "the plan cannot or must not be carried out; it says why, and nothing was written (worker)",
      "settle that first"),
    ErrorReason(
      .notFound, "UNKNOWN_SERVICE",
      "Health/Check names a service or method that is not served here",
      "correct the call"),
    ErrorReason(
      .deadlineExceeded, "DEADLINE",
      "the timeout passed, or deadline_at",
      """
      repeat the same call, unchanged; if it is told at once, and the message names deadline_at, \
      compare the clocks
      """),
    ErrorReason(
      .unavailable, "STORE_UNREACHABLE",
      "the timeout passed while Redis was away",
      "repeat the same call, unchanged"),
    ErrorReason(
      .unavailable, "STORE_FENCED",
      """
      Redis has been restarted, or has taken another's place, and no worker has opened it yet; its \
      opening has run out; or it has lost data, and is not opened before it has been rebuilt
      """,
      "repeat after retry_after_ms; if it lasts, a person: the worker's log says what is lost"),
    ErrorReason(
      .unavailable, "STORE_REFUSED",
      "Redis refuses to write (too few replicas, a disk that is full): told at once, for reads too",
      "repeat after retry_after_ms"),
    ErrorReason(
      .unavailable, "SHUTTING_DOWN",
      "the server is going",
      "repeat on a new connection"),
    ErrorReason(
      .internal, "STORE_FAILED",
      "the store answered in a way that it should not",
      "a person: the server's log"),
  ]

  /// Found by the client, without the server.
  static let client: [ErrorReason] = [
    ErrorReason(
      .unavailable, "UNREACHABLE",
      "nobody answers at the address; nothing was done",
      "look at the address; repeat later"),
    ErrorReason(
      .unavailable, "CONNECTION_LOST",
      "the connection died before the answer",
      "repeat the same call: it finds out"),
    ErrorReason(
      .deadlineExceeded, "NO_ANSWER",
      "not even the end of the time was said",
      "repeat the same call: it finds out"),
    ErrorReason(
      .internal, "MALFORMED_REPLY",
      "the reply is not the method's message",
      "take the client of the server's version"),
    ErrorReason(
      .internal, "WINDOW_OVERRUN",
      "the server sent more of a stream than was granted",
      "a person: the server is wrong"),
    ErrorReason(
      .internal, "UNSPECIFIED",
      "the server gave no reason",
      "a person: the server's log"),
  ]
}
