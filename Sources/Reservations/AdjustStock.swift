import HotPath
import RPC
import Wire

extension Sale {
  /// Adds units to those available of a SKU, or takes some away.
  func adjustStock(_ call: Call) throws(Status) {
    try changeStock(
      try decoder.adjustStock(call.message, arena: call.arena, trace: call.trace), for: call)
  }
}
