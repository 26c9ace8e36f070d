import HotPath
import RPC
import Wire

extension Sale {
  /// Cancels a hold in a person's name.
  func release(_ call: Call) throws(Status) {
    let asked = try decoder.release(call.message, arena: call.arena, trace: call.trace)
    try change(asked, for: call) { (answer, reached) throws(Status) in
      try self.holdReply(answer, reached)
    }
  }
}
