import HotPath
import Inventory
import Ledger

/// The comparison itself: walks past all holds of both stores and compares the figures of all SKUs,
/// and keeps what differs.
///
/// How it works.  Whatever agrees at first sight is done with.  Whatever does not is a suspect, for the
/// books are always a little behind: it is read again in Redis, together with the id S of the last
/// entry of the stream; then the audit waits until the books have passed S, and only what differs then
/// is a difference.  What has changed again meanwhile is looked at once more.  Where the books do not
/// reach S in time, nothing is said about it but that.
///
/// One thread at a time; after any fault make another.
final class Examination {
  /// What a difference is about.
  enum Subject: Hashable {
    case sku(SKU)
    case hold(String)
  }

  let stores: Stores
  private let sums = BookSums()
  /// What differs now.
  private(set) var found: [Subject: [Difference]] = [:]
  /// Why the last look at suspects came to nothing; nil: it did not.
  private(set) var undecided: String?
  /// The SKU that was judged last, as it was.
  private(set) var lastStock: StockComparison?
  /// The newest entry that was compared.
  private(set) var upTo = StreamID(ms: 0, sequence: 0)
  /// SKUs of the last round.
  private(set) var skus = 0
  /// Records and rows of the last whole lap.
  private(set) var lap = (records: 0, rows: 0)
  /// How often every hold of each store has been passed.
  private(set) var laps = (store: 0, books: 0)

  private var suspects: Set<String> = []
  /// Keys of records that could not be read: on the lap at hand, and on the one before.
  private var unreadable: (now: Set<String>, before: Set<String>) = ([], [])
  private var oldestSuspect = ContinuousClock.now
  /// SKUs that Redis has: those of the lap at hand, and of the one before.
  private var seen: (now: Set<SKU>, before: Set<SKU>) = ([], [])
  private var cursor = "0"
  private var place = BookView.first
  private var passed = (records: 0, rows: 0)

  init(in stores: Stores) { self.stores = stores }

  // MARK: holds

  /// Walks a step in each store.
  /// - Returns: whether suspects were judged, so that there may be news.
  func step() throws -> Bool {
    try stepInStore()
    try stepInBooks()
    let waited = ContinuousClock.now - oldestSuspect
    guard
      suspects.count >= AuditLimits.suspectsMax
        || !suspects.isEmpty && waited >= .milliseconds(AuditLimits.suspectsMsMax)
    else { return false }
    try judgeSuspects()
    return true
  }

  /// Records of Redis, and what the books say of them.
  private func stepInStore() throws {
    var keys: [HoldKey] = []
    repeat {
      let page = try stores.store.scan(from: cursor)
      keys += page.holds
      seen.now.formUnion(page.skus)
      cursor = page.next
    } while keys.count < AuditLimits.stepHoldsMax && cursor != "0"
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
    passed.records += keys.count
    guard cursor == "0" else { return }
    (lap.records, passed.records) = (passed.records, 0)
    seen = ([], seen.now)
    for key in unreadable.before.subtracting(unreadable.now) { found[.hold(key)] = nil }
    unreadable = ([], unreadable.now)
    laps.store += 1
  }

  /// Its generation is not known: it is told under its key.
  private func tellUnreadable(_ key: String, sku: String) {
    unreadable.now.insert(key)
    guard !sku.isEmpty || found[.hold(key)] == nil else { return }
    found[.hold(key)] = [
      Difference(.holdUnreadable, sku: sku, hold: key, "its record in Redis cannot be read")
    ]
  }

  /// Rows of the books: whether they agree with each other, and the active ones with Redis.
  private func stepInBooks() throws {
    let page = try stores.books.page(after: place, limit: AuditLimits.stepHoldsMax)
    for item in page.items where item.disagrees { suspect(item.holdID) }
    let active = page.items.filter { $0.isActive && !$0.disagrees }
    let records = try stores.records(of: active.map(\.holdID))
    for item in active {
      let record = records[item.holdID]?.record
      if record?.status != .active || record?.version != UInt64(clamping: item.version) {
        suspect(item.holdID)
      }
    }
    passed.rows += page.rows
    place = page.last ?? BookView.first
    guard page.last == nil else { return }
    (lap.rows, passed.rows) = (passed.rows, 0)
    laps.books += 1
  }

  private func suspect(_ id: String) {
    if suspects.isEmpty { oldestSuspect = .now }
    suspects.insert(id)
  }

  /// Begins a round: what could not be told before may be clear now.
  func beginRound() { undecided = nil }

  /// Looks again at the holds that have differed so far, as many as are told.
  func judgeFound() throws {
    // A record that cannot be read is told under its key, and seen again on the next lap.
    let ids = found.keys.compactMap { subject -> String? in
      guard case .hold(let id) = subject, HoldKey(id) == nil else { return nil }
      return id
    }
    try judge(Array(ids.sorted().prefix(AuditLimits.differencesMax)))
  }

  /// Looks again at all that has seemed to differ.
  func judgeSuspects() throws {
    let ids = suspects.sorted()
    suspects = []
    try judge(ids)
  }

  /// Finds out of each of these holds whether it differs.
  func judge(_ ids: [String]) throws {
    var open = ids
    for attempt in 1...AuditLimits.attemptsMax where !open.isEmpty {
      var again: [String] = []
      for part in open.slices(of: AuditLimits.suspectsMax) {
        again += try judge(Array(part), isLast: attempt == AuditLimits.attemptsMax)
      }
      if undecided != nil { return }
      open = again
    }
  }

  /// - Returns: those that changed meanwhile.
  private func judge(_ ids: [String], isLast: Bool) throws -> [String] {
    // A letter that is replayed in between is in the first list, or its new entry is below S.
    var letters = OpenLetters()
    try stores.addOpenLetters(to: &letters)
    let records = try stores.records(of: ids)
    let newest = records.values.map(\.at).max() ?? upTo
    undecided = try stores.settle(to: newest)
    guard undecided == nil else { return [] }
    upTo = max(upTo, newest)
    let traces = try stores.traces(of: ids)
    try stores.addOpenLetters(to: &letters)

    var again: [String] = []
    for id in ids {
      guard let traces = traces[id] else { continue }
      let seen = records[id]
      if seen?.isUnreadable == true {
        found[.hold(id)] = nil
        tellUnreadable(String(id.prefix(HoldKey.textBytes)), sku: traces.row?.sku ?? "")
        continue
      }
      var differences = HoldComparison(
        id: id, record: seen?.record, ended: seen?.ended, traces: traces
      ).differences
      if !differences.isEmpty, !isLast, let at = seen?.at, let stream = traces.row?.stream,
        StreamID(ms: UInt64(clamping: stream[0]), sequence: UInt64(clamping: stream[1])) > at
      {
        again.append(id)
        continue
      }
      let explanations = letters.byHold[id]?.map(\.id) ?? []
      for place in differences.indices { differences[place].letters = explanations }
      found[.hold(id)] = differences.isEmpty ? nil : differences
    }
    return again
  }

  // MARK: figures

  /// Compares the figures of every SKU.
  /// - Parameter rowsMax: see `BookSums.beginRound`.
  func compareStock(rowsMax: Int) throws {
    sums.beginRound(rowsMax: rowsMax)
    var all = seen.now.union(seen.before)
    var last = ""
    while true {
      let page = try stores.books.skus(after: last, limit: AuditLimits.stepHoldsMax)
      all.formUnion(page.compactMap { SKU($0) })
      guard let end = page.last, page.count == AuditLimits.stepHoldsMax else { break }
      last = end
    }
    skus = all.count
    var suspects: [SKU] = []
    for part in Array(all).slices(of: StoreView.skusMax) {
      let compared = try compare(Array(part))
      suspects += compared.filter { !$0.differences.isEmpty }.map(\.stock.sku)
      for one in compared where one.differences.isEmpty { found[.sku(one.stock.sku)] = nil }
    }
    for part in suspects.slices(of: StoreView.skusMax) {
      try judge(skus: Array(part))
      if undecided != nil { return }
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
  private func compare(_ skus: [SKU]) throws -> [StockComparison] {
    let applied = try stores.store.applied() ?? StreamID(ms: 0, sequence: 0)
    let snapshot = try stores.store.stock(of: skus)
    let sums = try sums.sums(
      of: skus.map { ($0, snapshot.at) }, applied: applied, in: stores.books)
    upTo = max(upTo, min(snapshot.at, applied))
    return zip(snapshot.stock, sums).map { StockComparison(stock: $0, books: $1, letters: []) }
  }

  // MARK: all of it

  /// One whole look at everything, as fast as it goes.
  func examineAll() throws {
    let start = laps
    while laps.store == start.store || laps.books == start.books {
      if laps.store == start.store { try stepInStore() }
      if laps.books == start.books { try stepInBooks() }
      if suspects.count >= AuditLimits.suspectsMax { try judgeSuspects() }
    }
    try judgeSuspects()
    if undecided == nil { try compareStock(rowsMax: .max / 2) }
  }

  /// What there is to say now.
  func report(tookMs: UInt64) throws -> AuditReport {
    var report = AuditReport()
    report.at = try stores.store.time()
    report.upTo = upTo
    report.undecided = undecided
    let all = found.values.flatMap { $0 }
    report.explained = all.count { $0.isExplained }
    var counts: [Difference.Kind: Int] = [:]
    for difference in all where !difference.isExplained { counts[difference.kind, default: 0] += 1 }
    report.counts = counts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    let sorted = all.sorted {
      ($0.sku, $0.hold ?? "", $0.kind) < ($1.sku, $1.hold ?? "", $1.kind)
    }
    report.differences = Array(sorted.prefix(AuditLimits.differencesMax))
    (report.skus, report.records, report.rows) = (skus, lap.records, lap.rows)
    report.tookMs = tookMs
    return report
  }
}
