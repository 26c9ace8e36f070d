import HotPath
public import Inventory
import Ledger

extension Auditor {
  /// The dry run of a repair: what differs about a SKU, and the compensating entries that would end
  /// it.  Writes nothing.
  /// - Throws: `.redis` or `.books` while one of them is away.
  public func plan(for sku: SKU) throws(AuditFault) -> RepairPlan {
    try withExamination { try $0.plan(for: sku) }
  }
}

extension Examination {
  /// - Throws: what a store throws.
  func plan(for sku: SKU) throws -> RepairPlan {
    try examine(sku)
    var letters = OpenLetters()
    try stores.addOpenLetters(to: &letters)
    var refusals = letters.refusals(of: sku)
    if let undecided { refusals.append("cannot tell yet: \(undecided)") }
    let about = found.values.flatMap { $0 }.filter { $0.sku == sku.text }
    let unreadable = about.filter { $0.kind == .holdUnreadable }.compactMap(\.hold)
    let ids = Set(about.compactMap(\.hold)).subtracting(unreadable).sorted()
    var advice = unreadable.map { "hold:\($0) cannot be read: a person must look at it" }
    var entries: [RepairPlan.Entry] = []
    if undecided == nil {
      if ids.count > AuditLimits.entriesMax {
        advice.append("\(ids.count) holds differ: this is a part, plan again when it is done")
      }
      entries = try holdEntries(Array(ids.prefix(AuditLimits.entriesMax)), &advice, &refusals)
      if ids.count <= AuditLimits.entriesMax {
        let books = entries.reduce(Correction.Deltas.none) { $0 + $1.books }
        if let entry = try stockEntry(sku, after: books, &advice, &refusals) {
          entries.append(entry)
        }
      }
    }
    return RepairPlan(
      sku: sku,
      differences: about.sorted { ($0.hold ?? "", $0.kind) < ($1.hold ?? "", $1.kind) },
      entries: entries, refusals: refusals, advice: advice)
  }

  /// One entry for each hold that differs, whatever the number of its differences.
  private func holdEntries(
    _ ids: [String], _ advice: inout [String], _ refusals: inout [String]
  ) throws -> [RepairPlan.Entry] {
    let records = try stores.records(of: ids)
    if let newest = records.values.map(\.at).max(), let why = try stores.settle(to: newest) {
      refusals.append("cannot tell yet: \(why)")
      return []
    }
    let traces = try stores.traces(of: ids)
    return ids.compactMap { id -> RepairPlan.Entry? in
      guard let traces = traces[id] else { return nil }
      let seen = records[id]
      let comparison = HoldComparison(
        id: id, record: seen?.record, ended: seen?.ended, traces: traces)
      let differences = comparison.differences
      guard !differences.isEmpty else { return nil }
      guard var truth = comparison.truth else {
        advice.append("\(id): no event can say what is right; a person must, as stock_owner")
        return nil
      }
      let expected = comparison.record?.version ?? comparison.ended?.version ?? 0
      truth.version = max(truth.version, comparison.booksVersion) + 1
      guard truth.version <= UInt64(UInt32.max) else {
        advice.append("\(id): its version cannot rise any more; a person must, as stock_owner")
        return nil
      }
      return .hold(
        truth, expected: expected, found: Self.text(differences),
        books: comparison.missingDeltas(of: truth))
    }
  }

  /// What is left of the difference between the figures when all holds are right.
  private func stockEntry(
    _ sku: SKU, after books: Correction.Deltas, _ advice: inout [String],
    _ refusals: inout [String]
  ) throws -> RepairPlan.Entry? {
    try judge(skus: [sku])
    if let undecided {
      refusals.append("cannot tell yet: \(undecided)")
      return nil
    }
    guard let comparison = lastStock, comparison.stock.sku == sku,
      let figures = comparison.stock.figures, let excess = comparison.excess
    else {
      if found[.sku(sku)] != nil {
        advice.append("Redis does not know this SKU: it has lost data, and needs a rebuild")
      }
      return nil
    }
    if comparison.differences.contains(where: { $0.kind == .booksUnbalanced }) {
      advice.append("a movement breaks the rules of its table: a person must, as stock_owner")
      return nil
    }
    let rest = excess - books
    guard rest != .none || !figures.balance else {
      if comparison.differences.contains(where: { $0.kind == .stockShown }) {
        advice.append(
          "stock:\(sku) was changed by hand: put it right, then 'stockctl stock adopt \(sku)'")
      }
      return nil
    }
    let changes = try stores.books.stockChanges(of: sku)
    let judge = StockJudge(
      of: figures, excess: rest, corrected: changes.corrected, changesSince: changes.since)
    let why = "Redis had \(rest.text) more than the books; \(judge.rawValue) is right"
    switch judge {
    case .books:
      refusals += impossible(sku, Correction.Deltas(figures) - rest)
      return .stock(sku, expected: figures.version, store: -rest, books: .none, found: why)
    case .redis:
      return .stock(sku, expected: figures.version, store: .none, books: rest, found: why)
    }
  }

  /// Why Redis cannot have these figures; empty: it can.
  private func impossible(_ sku: SKU, _ figures: Correction.Deltas) -> [String] {
    let units = [figures.available, figures.held, figures.sold, figures.supplied]
    let why = "Redis would come to \(figures.text)"
    if figures.available < 0, units.dropFirst().allSatisfy({ $0 >= 0 }) {
      let missing = -figures.available
      return [
        "\(why): \(missing) more are held and sold than the books were ever given; where these units "
          + "exist, 'stockctl stock adjust \(sku) --by \(missing) --reason …' puts them into both, "
          + "else 'stockctl hold release' gives up holds; then plan again"
      ]
    }
    if units.allSatisfy({ (0...Int64(Limits.stockUnitsMax)).contains($0) }) { return [] }
    return [
      "\(why), which no figures can be: look at its movements, 'stockctl stock history \(sku)'; "
        + "a person must put them right, as stock_owner"
    ]
  }

  private static func text(_ differences: [Difference]) -> String {
    let text = differences.map { "\($0.kind.rawValue): \($0.found)" }.joined(separator: "; ")
    return text.utf8.count <= Correction.foundBytesMax
      ? text : differences.map(\.kind.rawValue).joined(separator: ", ")
  }
}

extension RepairPlan.Entry {
  /// What the books add.
  var books: Correction.Deltas {
    switch self {
    case .hold(_, _, _, let books), .stock(_, _, _, let books, _): books
    }
  }
}
