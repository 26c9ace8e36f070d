import HotPath
import RPC
import Wire

extension Sale {
  /// Accepts the figure that stands in Redis, and opens the SKU again.
  func adoptStock(_ call: Call) throws(Status) {
    let sku = try decoder.adoptStock(call.message, arena: call.arena)
    _ = try acknowledging.promise(nil)
    run(.adoptStock(sku), for: call) { (answer) throws(Status) in
      try self.stockReply(answer, sku)
    }
  }
}
