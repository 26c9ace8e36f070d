import HotPath
import RPC
import Wire

extension Sale {
  /// Gives an active hold a later deadline.
  func extend(_ call: Call) throws(Status) {
    let asked = try decoder.extend(call.message, arena: call.arena, trace: call.trace)
    try change(asked, for: call) { (answer, reached) throws(Status) in
      try self.holdReply(answer, reached)
    }
  }
}
