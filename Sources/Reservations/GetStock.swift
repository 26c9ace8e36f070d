import HotPath
import RPC
import Wire

extension Sale {
  /// Reads the figures of a SKU.
  func getStock(_ call: Call) throws(Status) {
    let sku = try decoder.getStock(call.message, arena: call.arena)
    run(.getStock(sku), for: call) { (answer) throws(Status) in try self.stockReply(answer, sku) }
  }
}
