import HotPath
import Inventory
import RPC
import Wire

extension Sale {
  /// Sets the units available of a SKU.
  func setStock(_ call: Call) throws(Status) {
    try changeStock(
      try decoder.setStock(call.message, arena: call.arena, trace: call.trace), for: call)
  }

  /// Changes the stock of a SKU, and answers with its figures.
  func changeStock(_ order: StockOrder, for call: Call) throws(Status) {
    _ = try acknowledging.promise(nil)
    run(.changeStock(order), for: call) { (answer) throws(Status) in
      try self.stockReply(answer, order.sku)
    }
  }
}
