import HotPath
import RPC
import Wire

extension Sale {
  /// Gives an active hold's units back.
  func cancel(_ call: Call) throws(Status) {
    let asked = try decoder.cancel(call.message, arena: call.arena, trace: call.trace)
    try change(asked, for: call) { (answer, reached) throws(Status) in
      try self.holdReply(answer, reached)
    }
  }
}
