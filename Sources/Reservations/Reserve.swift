import HotPath
import Inventory
import RPC
import Wire

extension Sale {
  /// Takes units of a SKU for a user until a deadline.
  func reserve(_ call: Call) throws(Status) {
    let reservation = try decoder.reserve(call.message, arena: call.arena)
    run(.reserve(reservation), for: call) { [logger] (answer) throws(Status) in
      if answer.outcome == .stockMismatch {
        logger.error(
          "stock mismatch: the SKU is closed",
          metadata: ["sku": "\(reservation.sku)", "found": "\(answer.shown ?? "")"])
      }
      if let refusal = Status(refusal: answer, sku: reservation.sku) { throw refusal }
      guard let hold = answer.hold else {
        return ReserveReply(outcome: answer.outcome, available: answer.available)
      }
      return ReserveReply(
        outcome: answer.outcome, holdID: hold.id.description,
        status: hold.status(at: answer.now), expiresAt: Int64(clamping: hold.expiresAt),
        available: answer.available)
    }
  }
}
