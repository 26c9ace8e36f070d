import HotPath
import Inventory
import RPC
import Wire

extension Sale {
  /// Takes units of a SKU for a user until a deadline.
  func reserve(_ call: Call) throws(Status) {
    let asked = try decoder.reserve(call.message, arena: call.arena, trace: call.trace)
    let reservation = asked.value
    try change(asked.map { .reserve($0) }, for: call) { (answer, reached) throws(Status) in
      try self.reserveReply(answer, reservation, reached)
    }
  }

  /// The reply to one reserve.
  /// - Parameters:
  ///   - reached: what the caller is to be told of the acknowledgement.
  ///   - isKnownMismatch: the log has a line about the SKU already.
  func reserveReply(
    _ answer: Answer, _ reservation: Reservation, _ reached: Acknowledgement?,
    isKnownMismatch: Bool = false
  ) throws(Status) -> ReserveReply {
    if answer.outcome == .stockMismatch, !isKnownMismatch {
      logger.error(
        "stock mismatch: the SKU is closed",
        metadata: ["sku": "\(reservation.sku)", "found": "\(answer.shown ?? "")"])
    }
    if let refusal = Status(refusal: answer, sku: reservation.sku) { throw refusal }
    if answer.outcome == .held {
      // Said from the request: nearly all end here, and a `Hold` would be made for this alone.
      return ReserveReply(
        outcome: .held, hold: HoldID(key: reservation.hold, generation: answer.now),
        status: .active,
        expiresAt: Int64(clamping: answer.now + reservation.ttlMs), available: answer.available,
        acknowledged: reached)
    }
    if let ended = answer.ended {
      return ReserveReply(
        outcome: answer.outcome, hold: ended.id, status: ended.status,
        expiresAt: Int64(clamping: ended.expiresAt), available: answer.available,
        acknowledged: reached)
    }
    guard let hold = answer.hold else {
      return ReserveReply(outcome: answer.outcome, available: answer.available)
    }
    return ReserveReply(
      outcome: answer.outcome, hold: hold.id, status: hold.status(at: answer.now),
      expiresAt: Int64(clamping: hold.expiresAt), available: answer.available,
      acknowledged: reached)
  }
}
