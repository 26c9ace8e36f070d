import Inventory
import Wire

/// Plain valid values, told apart by a number.
enum Example {
  static func hold(_ number: Int, sku: String = "box") -> Hold {
    let (user, key) = (Label("user \(number)")!, Label("key \(number)")!)
    let created = History.start + UInt64(number)
    return Hold(
      id: HoldID(key: Identity().hold(user: user, key: key), generation: created), status: .active,
      version: 1, sku: SKU(sku)!, qty: 2, user: user, key: key, expiresAt: created + 60_000,
      changedAt: created)
  }

  static func created(_ numbers: Range<Int>) -> [Event] {
    numbers.map { .hold(.holdCreated, hold($0)) }
  }

  static func confirmed(_ hold: Hold) -> Event {
    var hold = hold
    hold.status = .confirmed
    hold.version += 1
    hold.changedAt += 10
    hold.paymentRef = Label("pay_1")!
    return .hold(.holdConfirmed, hold)
  }

  static func stock(_ version: UInt64) -> StockChange {
    StockChange(
      sku: SKU("box")!, requestID: Label("request \(version)")!, changedAt: History.start,
      figures: Figures(available: 10, held: 0, sold: 0, supplied: 10, version: version), delta: 10)
  }
}
