import HotPath
import RPC
import Wire

extension Sale {
  /// Turns an active hold into an order.
  func confirm(_ call: Call) throws(Status) {
    let operation = try decoder.confirm(call.message, arena: call.arena, trace: call.trace)
    run(operation, for: call) { (answer) throws(Status) in try self.holdReply(answer) }
  }
}
