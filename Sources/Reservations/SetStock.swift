import HotPath
import Inventory
import RPC
import Wire

extension Sale {
  /// Sets the units available of a SKU.
  func setStock(_ call: Call) throws(Status) {
    let operation = try decoder.setStock(call.message, arena: call.arena, trace: call.trace)
    _ = try acknowledging.promise(nil)
    guard case .setStock(let sku, _, _, _) = operation else { preconditionFailure("decoded a set") }
    run(operation, for: call) { (answer) throws(Status) in try self.stockReply(answer, sku) }
  }
}
