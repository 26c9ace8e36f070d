import HotPath
import RPC
import Wire

extension Sale {
  /// Turns an active hold into an order.
  func confirm(_ call: Call) throws(Status) {
    let asked = try decoder.confirm(call.message, arena: call.arena, trace: call.trace)
    try change(asked, for: call) { (answer, reached) throws(Status) in
      try self.holdReply(answer, reached)
    }
  }
}
