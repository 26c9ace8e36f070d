import HotPath
import Inventory
import RPC
import Wire

extension Sale {
  /// Takes units of a SKU for a user until a deadline.
  func reserve(_ call: Call) throws(Status) {
    let reservation = try decoder.reserve(call.message, arena: call.arena, trace: call.trace)
    run(.reserve(reservation), for: call) { (answer) throws(Status) in
      try self.reserveReply(answer, reservation)
    }
  }

  /// The reply to one reserve.
  /// - Parameter isKnownMismatch: the log has a line about the SKU already.
  func reserveReply(
    _ answer: Answer, _ reservation: Reservation, isKnownMismatch: Bool = false
  ) throws(Status) -> ReserveReply {
    if answer.outcome == .stockMismatch, !isKnownMismatch {
      logger.error(
        "stock mismatch: the SKU is closed",
        metadata: ["sku": "\(reservation.sku)", "found": "\(answer.shown ?? "")"])
    }
    if let refusal = Status(refusal: answer, sku: reservation.sku) { throw refusal }
    guard let hold = answer.hold else {
      return ReserveReply(outcome: answer.outcome, available: answer.available)
    }
    return ReserveReply(
      outcome: answer.outcome, holdID: hold.id.description, status: hold.status(at: answer.now),
      expiresAt: Int64(clamping: hold.expiresAt), available: answer.available)
  }
}
