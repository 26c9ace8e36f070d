import HotPath
import Inventory
import Ledger

/// The way past every hold of both stores, again and again.
struct Lap {
  /// How often all holds of both stores have been passed.
  var count: Int { min(laps.store, laps.books) }
  /// Records of Redis that the last whole lap has passed.
  fileprivate(set) var records = 0
  /// Rows of the books that it has passed.
  fileprivate(set) var rows = 0
  /// SKUs that Redis has: those of the lap at hand, and of the one before.
  fileprivate(set) var skus: (now: Set<SKU>, before: Set<SKU>) = ([], [])

  fileprivate var laps = (store: 0, books: 0)
  fileprivate var cursor = "0"
  fileprivate var place = BookView.first
  /// Of the lap at hand.
  fileprivate(set) var passed = (records: 0, rows: 0)
}

extension Examination {
  /// Walks past about so many holds in each store; one that has been passed waits for the other.
  func step(_ holds: Int) throws {
    let (inStore, inBooks) = (lap.laps.store <= lap.laps.books, lap.laps.books <= lap.laps.store)
    if inStore { try stepInStore(holds) }
    if inBooks { try stepInBooks(holds) }
  }

  /// Records of Redis, and what the books say of them.
  private func stepInStore(_ count: Int) throws {
    var keys: [HoldKey] = []
    repeat {
      let page = try stores.store.scan(from: lap.cursor)
      keys += page.holds
      lap.skus.now.formUnion(page.skus)
      lap.cursor = page.next
    } while keys.count < count && lap.cursor != "0"
    var holds: [Hold] = []
    var ended: [EndedHold] = []
    for part in keys.slices(of: StoreView.holdsMax) {
      for (key, record) in zip(part, try stores.store.holds(Array(part)).records) {
        switch record {
        case .absent: continue
        case .hold(let hold): holds.append(hold)
        case .ended(let hold): ended.append(hold)
        case .unreadable: tellUnreadable("\(key)", sku: "")
        }
      }
    }
    let rows = try stores.books.rows(of: holds.map { "\($0.id)" } + ended.map { "\($0.id)" })
    for hold in holds
    where rows["\(hold.id)"].map({ HoldComparison.agrees($0, with: hold) }) != true {
      suspect("\(hold.id)")
    }
    for hold in ended
    where rows["\(hold.id)"].map({ HoldComparison.agrees($0, with: hold) }) != true {
      suspect("\(hold.id)")
    }
    lap.passed.records += keys.count
    guard lap.cursor == "0" else { return }
    (lap.records, lap.passed.records) = (lap.passed.records, 0)
    lap.skus = ([], lap.skus.now)
    lap.laps.store += 1
  }

  /// Rows of the books: whether they agree with each other, and the active ones with Redis.
  private func stepInBooks(_ count: Int) throws {
    let page = try stores.books.page(after: lap.place, limit: count)
    for item in page.items where item.disagrees { suspect(item.holdID) }
    let active = page.items.filter { $0.isActive && !$0.disagrees }
    let records = try stores.records(of: active.map(\.holdID))
    for item in active {
      let record = records[item.holdID]?.record
      if record?.status != .active || record?.version != UInt64(clamping: item.version) {
        suspect(item.holdID)
      }
    }
    lap.passed.rows += page.rows
    lap.place = page.last ?? BookView.first
    guard page.last == nil else { return }
    (lap.rows, lap.passed.rows) = (lap.passed.rows, 0)
    lap.laps.books += 1
  }
}
