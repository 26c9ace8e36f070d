import HotPath
import Inventory
import Ledger

/// What is kept of the figures from one round to the next.
struct StockRound {
  /// SKUs of the last round.
  fileprivate(set) var skus = 0
  /// SKUs that the books know.
  fileprivate var booked: Set<SKU> = []
  /// Figures of Redis with which the books agreed.
  fileprivate var agreed: [SKU: StoreView.StockSnapshot] = [:]
}

extension Examination {
  /// Compares the figures of every SKU.
  ///
  /// Of a SKU whose figures are as they were when the books agreed with them, the books are not asked,
  /// unless they have changed too.
  /// - Parameters:
  ///   - rowsMax: see `BookSums.beginRound`.
  ///   - haveBooksChanged: whether anybody may have written into the books since the round before.
  func compareStock(rowsMax: Int, haveBooksChanged: Bool = true) throws {
    sums.beginRound(rowsMax: rowsMax)
    if haveBooksChanged { (stock.booked, stock.agreed) = (try bookedSKUs(), [:]) }
    let all = lap.skus.now.union(lap.skus.before).union(stock.booked)
    stock.skus = all.count
    let applied = try stores.store.applied() ?? StreamID(ms: 0, sequence: 0)
    var suspects: [SKU] = []
    for part in Array(all).slices(of: StoreView.skusMax) {
      for one in try compare(Array(part), applied) {
        let sku = one.stock.sku
        guard one.differences.isEmpty else {
          suspects.append(sku)
          continue
        }
        (found[.sku(sku)], stock.agreed[sku]) = (nil, one.stock)
      }
    }
    for part in suspects.slices(of: StoreView.skusMax) {
      try judge(skus: Array(part))
      if undecided != nil { return }
    }
  }

  private func bookedSKUs() throws -> Set<SKU> {
    var all: Set<SKU> = []
    var last = ""
    while true {
      let page = try stores.books.skus(after: last, limit: AuditLimits.stepHoldsMax)
      all.formUnion(page.compactMap { SKU($0) })
      guard let end = page.last, page.count == AuditLimits.stepHoldsMax else { return all }
      last = end
    }
  }

  /// Finds out of each of these SKUs, `StoreView.skusMax` at most, whether it differs.
  func judge(skus: [SKU]) throws {
    var letters = OpenLetters()
    try stores.addOpenLetters(to: &letters)
    let snapshot = try stores.store.stock(of: skus)
    undecided = try stores.settle(to: snapshot.at)
    guard undecided == nil else { return }
    upTo = max(upTo, snapshot.at)
    for sku in skus { sums.forget(sku) }
    let sums = try sums.sums(
      of: skus.map { ($0, snapshot.at) }, applied: snapshot.at, in: stores.books)
    try stores.addOpenLetters(to: &letters)
    for (stock, books) in zip(snapshot.stock, sums) {
      let comparison = StockComparison(
        stock: stock, books: books, letters: letters.bySKU[stock.sku.text] ?? [])
      lastStock = comparison
      found[.sku(stock.sku)] = comparison.differences.isEmpty ? nil : comparison.differences
    }
  }

  /// At first sight: what differs here may be on its way.
  /// - Returns: those that were compared anew.
  private func compare(_ skus: [SKU], _ applied: StreamID) throws -> [StockComparison] {
    let snapshot = try stores.store.stock(of: skus)
    let changed = snapshot.stock.filter { stock.agreed[$0.sku] != $0 || !sums.knows($0.sku) }
    upTo = max(upTo, min(snapshot.at, applied))
    guard !changed.isEmpty else { return [] }
    let added = try sums.sums(
      of: changed.map { ($0.sku, snapshot.at) }, applied: applied, in: stores.books)
    return zip(changed, added).map { StockComparison(stock: $0, books: $1, letters: []) }
  }
}
