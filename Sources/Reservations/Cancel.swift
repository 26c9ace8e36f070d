import HotPath
import RPC
import Wire

extension Sale {
  /// Gives an active hold's units back.
  func cancel(_ call: Call) throws(Status) {
    let operation = try decoder.cancel(call.message, arena: call.arena, trace: call.trace)
    run(operation, for: call) { (answer) throws(Status) in try self.holdReply(answer) }
  }
}
