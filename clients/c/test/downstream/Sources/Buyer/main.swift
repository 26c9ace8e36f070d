// Buyer ADDRESS SKU KEY: reserves twice under one key.
import CStockStream
import Glibc

func misused(_ message: String) -> Never {
  (message + "\n").withCString { _ = write(STDERR_FILENO, $0, strlen($0)) }
  exit(64)
}

guard CommandLine.arguments.count == 4 else { misused("usage: Buyer ADDRESS SKU KEY") }
var error: UnsafePointer<CChar>?
guard let client = stock_client_new(CommandLine.arguments[1], nil, &error) else {
  misused(error.map { String(cString: $0) } ?? "no client")
}
defer { stock_client_free(client) }

/// The texts are copied before the call returns.
func reserve(_ sku: String, key: String) -> String {
  sku.withCString { sku in
    key.withCString { key in
      "buyer".withCString { user in
        var what = stock_reservation()
        (what.sku, what.qty, what.user_id, what.key) = (sku, 1, user, key)
        let reply = stock_reserve(client, &what, 0).pointee
        guard reply.code == STOCK_CODE_OK else { return String(cString: reply.reason) }
        return String(cString: stock_outcome_name(reply.outcome))
      }
    }
  }
}

let (sku, key) = (CommandLine.arguments[2], CommandLine.arguments[3])
print(reserve(sku, key: key), reserve(sku, key: key))
