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
  let sums = BookSums()
  /// What differs now.
  var found: [Subject: [Difference]] = [:]
  /// Why the last look at suspects came to nothing; nil: it did not.
  var undecided: String?
  /// The SKU that was judged last, as it was.
  var lastStock: StockComparison?
  /// The newest entry that was compared.
  var upTo = StreamID(ms: 0, sequence: 0)
  /// The figures of the last round.
  var stock = StockRound()
  /// The way past all holds.
  var lap = Lap()
  /// The way past the holds that have moved of late, while it is under way.
  var recent: RecentPass?
  /// Who has written.
  var writes = Writes()

  private var suspects: Set<String> = []
  private var oldestSuspect = ContinuousClock.now

  init(in stores: Stores) { self.stores = stores }

  // MARK: holds

  /// When what has seemed to differ is to be looked at again; nil: nothing has.
  var suspectsDue: ContinuousClock.Instant? {
    if suspects.isEmpty { return nil }
    return areMany && undecided == nil
      ? .now : oldestSuspect + .milliseconds(AuditLimits.suspectsMsMax)
  }

  /// Whether there is no use in looking for more of what seems to differ: it cannot be told yet.
  var isStuck: Bool { areMany && undecided != nil }

  private var areMany: Bool { suspects.count >= AuditLimits.suspectsMax }

  func suspect(_ id: String) {
    if suspects.isEmpty { oldestSuspect = .now }
    suspects.insert(id)
  }

  /// Begins a round: what could not be told before may be clear now.
  func beginRound() { undecided = nil }

  /// Looks again at the holds that have differed so far, as many as are told.
  func judgeFound() throws {
    let names = found.keys.compactMap { subject -> String? in
      guard case .hold(let name) = subject else { return nil }
      return name
    }.sorted().prefix(AuditLimits.differencesMax)
    try judge(names.filter { HoldKey($0) == nil })
    for part in names.compactMap({ HoldKey($0) }).slices(of: StoreView.holdsMax) {
      for (key, record) in zip(part, try stores.store.holds(Array(part)).records) {
        if case .unreadable = record { continue }
        found[.hold("\(key)")] = nil
        if case .hold(let hold) = record { suspect("\(hold.id)") }
      }
    }
  }

  /// The generation of such a record is not known: it is told under its key.
  func tellUnreadable(_ key: String, sku: String) {
    guard !sku.isEmpty || found[.hold(key)] == nil else { return }
    found[.hold(key)] = [
      Difference(.holdUnreadable, sku: sku, hold: key, "its record in Redis cannot be read")
    ]
  }

  /// Looks again at all that has seemed to differ; what cannot be told yet, in a moment once more.
  func judgeSuspects() throws {
    let ids = suspects.sorted()
    suspects = []
    try judge(ids)
    if undecided != nil { for id in ids { suspect(id) } }
  }

  /// Finds out of each of these holds whether it differs.
  func judge(_ ids: [String]) throws {
    var open = ids
    for attempt in 1...AuditLimits.attemptsMax where !open.isEmpty {
      var again: [String] = []
      for part in open.slices(of: AuditLimits.suspectsMax) {
        again += try judge(Array(part), isLast: attempt == AuditLimits.attemptsMax)
        if undecided != nil { return }
      }
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

  // MARK: all of it

  /// One whole look at everything, as fast as it goes.
  func examineAll(passed: (_ records: Int, _ rows: Int) -> Void) throws {
    let start = lap.count
    while lap.count == start {
      try step(AuditLimits.stepHoldsMax)
      passed(lap.passed.records, lap.passed.rows)
      if areMany { try judgeSuspects() }
    }
    try judgeSuspects()
    if undecided == nil { try compareStock(rowsMax: .max / 2) }
  }

  /// One whole look at what is about a SKU, as fast as it goes.
  func examine(_ sku: SKU) throws {
    let booked = try stores.books.holds(of: sku)
    for part in booked.slices(of: AuditLimits.stepHoldsMax) {
      try compare(Array(part))
      if areMany { try judgeSuspects() }
    }
    try compareRecords(of: sku, beside: Set(booked))
    try judgeSuspects()
    if undecided == nil { try judge(skus: [sku]) }
  }

  /// Looks for holds of a SKU that the books do not know as such.
  private func compareRecords(of sku: SKU, beside booked: Set<String>) throws {
    var cursor = "0"
    repeat {
      let page = try stores.store.scan(from: cursor)
      cursor = page.next
      for part in page.holds.slices(of: StoreView.holdsMax) {
        for case .hold(let hold) in try stores.store.holds(Array(part)).records
        where hold.sku == sku && !booked.contains("\(hold.id)") {
          suspect("\(hold.id)")
        }
      }
      if areMany { try judgeSuspects() }
    } while cursor != "0"
  }

  /// Finds out at first sight which of these holds seem to differ.
  func compare(_ ids: [String]) throws {
    let records = try stores.records(of: ids)
    let traces = try stores.traces(of: ids)
    for id in ids {
      guard let traces = traces[id] else { continue }
      let seen = records[id]
      let comparison = HoldComparison(
        id: id, record: seen?.record, ended: seen?.ended, traces: traces)
      if seen?.isUnreadable == true || !comparison.differences.isEmpty { suspect(id) }
    }
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
    (report.skus, report.records, report.rows) = (stock.skus, lap.records, lap.rows)
    report.tookMs = tookMs
    return report
  }
}
