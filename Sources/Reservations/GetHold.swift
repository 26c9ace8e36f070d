import HotPath
import RPC
import Wire

extension Sale {
  /// Reads one hold.
  func getHold(_ call: Call) throws(Status) {
    let operation = try decoder.getHold(call.message, arena: call.arena)
    run(operation, for: call) { (answer) throws(Status) in try self.holdReply(answer) }
  }
}
