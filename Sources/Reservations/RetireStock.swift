import HotPath
import RPC
import Wire

extension Sale {
  /// Takes a SKU off sale.
  func retireStock(_ call: Call) throws(Status) {
    try changeStock(
      try decoder.retireStock(call.message, arena: call.arena, trace: call.trace), for: call)
  }
}
