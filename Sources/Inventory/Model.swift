/// The rules of the sale as a second opinion: what the batch script must do, in plain Swift and in memory.
///
/// Tests run it beside Redis and compare every answer, figure and event.  It never serves a caller.
public struct Model {
  /// One hold and what tells another request under its key.
  private struct Entry {
    var hold: Hold
    var fingerprint: UInt64
    /// Only what `EndedHold` says is remembered, and which payment reference it was.
    var isShort = false
  }

  private var holds: [HoldKey: Entry] = [:]
  private var books: [SKU: Figures] = [:]
  private var requests: [Label: UInt64] = [:]

  /// What `stock:<sku>` holds: the service's figure, or whatever a person wrote there.
  public var shown: [SKU: String] = [:]
  /// Every event so far.
  public private(set) var events: [Event] = []
  /// How long ended holds are remembered.
  public let retention: Retention
  /// Whether everything so far is in the books.
  public var booksAreCurrent = false

  /// An empty store.
  public init(retention: Retention = Retention()) { self.retention = retention }

  /// The figures of a SKU; nil when nobody has set any.
  public func figures(of sku: SKU) -> Figures? { books[sku] }

  /// A hold as it is written down.
  public func hold(_ key: HoldKey) -> Hold? { holds[key]?.hold }

  /// Units in holds of one status.
  public func units(of sku: SKU, in status: HoldStatus) -> UInt64 {
    holds.values.lazy.filter { $0.hold.sku == sku && $0.hold.status == status }
      .reduce(0) { $0 + $1.hold.qty }
  }

  /// Plays one operation.
  /// - Parameters:
  ///   - now: milliseconds since 1970, never less than before.
  ///   - placing: whether new holds may begin.
  public mutating func apply(_ operation: Operation, now: UInt64, placing: Bool = true) -> Answer {
    var answer = play(operation, now, placing)
    answer.now = now
    return answer
  }

  private mutating func play(_ operation: Operation, _ now: UInt64, _ placing: Bool) -> Answer {
    switch operation {
    case .reserve(let reservation):
      adoptIfNew(reservation.sku, now)
      return reserve(reservation, now, placing)
    case .confirm(let id, let paymentRef, let trace): return confirm(id, paymentRef, trace, now)
    case .cancel(let id, let attribution, let trace): return cancel(id, attribution, trace, now)
    case .extend(let id, let expiresAt, let trace): return extend(id, expiresAt, trace, now)
    case .getHold(let key, let generation):
      guard let hold = holds[key]?.hold, generation == nil || hold.id.generation == generation
      else { return Answer(.noSuchHold) }
      return answer(.found, about: hold)
    case .changeStock(let order):
      adoptIfNew(order.sku, now)
      return change(order, now)
    case .adoptStock(let sku):
      let new = adoptIfNew(sku, now)
      return adopt(sku, justAdopted: new, now)
    case .getStock(let sku):
      adoptIfNew(sku, now)
      if isUnknown(sku) { return Answer(.unknownSKU) }
      return report(isOpen(sku) ? .found : .stockMismatch, sku)
    case .listStock(let after, let limit): return list(after, limit)
    case .expire(let id): return expire(id, now)
    }
  }

  // MARK: holds

  private mutating func reserve(_ request: Reservation, _ now: UInt64, _ placing: Bool) -> Answer {
    if let known = holds[request.hold] {
      guard known.fingerprint == request.fingerprint else { return Answer(.keyReused) }
      let available = books[request.sku]?.available ?? 0
      return answer(.repeated, available: available, about: known.hold)
    }
    if isUnknown(request.sku) { return Answer(.unknownSKU) }
    guard isOpen(request.sku), var figures = books[request.sku] else {
      return report(.stockMismatch, request.sku)
    }
    guard !figures.isRetired else { return Answer(.notForSale, available: figures.available) }
    guard placing else { return Answer(.storeFull, available: figures.available) }
    guard figures.available >= request.qty else {
      return Answer(.soldOut, available: figures.available)
    }
    figures.available -= request.qty
    figures.held += request.qty
    write(figures, of: request.sku)
    let hold = Hold(of: request, from: now)
    holds[request.hold] = Entry(hold: hold, fingerprint: request.fingerprint)
    events.append(.hold(.holdCreated, hold))
    return Answer(made: request, available: figures.available)
  }

  private mutating func confirm(
    _ id: HoldID, _ paymentRef: Label, _ trace: TraceContext?, _ now: UInt64
  ) -> Answer {
    guard var hold = find(id) else { return Answer(.noSuchHold) }
    switch hold.status(at: now) {
    case .confirmed:
      return answer(
        hold.paymentRef == paymentRef ? .repeated : .paymentRefMismatch, about: hold)
    case .cancelled: return answer(.alreadyCancelled, about: hold)
    case .expired: return answer(.expired, about: hold)
    case .active: break
    }
    guard var figures = books[hold.sku], figures.held >= hold.qty else {
      return report(.stockMismatch, hold.sku)
    }
    figures.held -= hold.qty
    figures.sold += hold.qty
    books[hold.sku] = figures
    hold.paymentRef = paymentRef
    change(&hold, to: .confirmed, .holdConfirmed, now, trace)
    return Answer(.confirmed, available: figures.available, hold: hold)
  }

  private mutating func cancel(
    _ id: HoldID, _ attribution: Attribution?, _ trace: TraceContext?, _ now: UInt64
  ) -> Answer {
    guard var hold = find(id) else { return Answer(.noSuchHold) }
    switch hold.status(at: now) {
    case .confirmed: return answer(.alreadyConfirmed, about: hold)
    case .cancelled: return answer(.repeated, about: hold)
    case .expired: return answer(.expired, about: hold)
    case .active: break
    }
    guard release(hold) else { return report(.stockMismatch, hold.sku) }
    change(&hold, to: .cancelled, .holdCancelled, now, trace, attribution)
    return Answer(.cancelled, available: books[hold.sku]!.available, hold: hold)
  }

  private mutating func extend(
    _ id: HoldID, _ expiresAt: UInt64, _ trace: TraceContext?, _ now: UInt64
  ) -> Answer {
    guard var hold = find(id) else { return Answer(.noSuchHold) }
    switch hold.status(at: now) {
    case .confirmed: return answer(.alreadyConfirmed, about: hold)
    case .cancelled: return answer(.alreadyCancelled, about: hold)
    case .expired: return answer(.expired, about: hold)
    case .active: break
    }
    guard expiresAt > hold.expiresAt else { return Answer(.repeated, hold: hold) }
    guard hold.version <= Limits.holdExtensionsMax else {
      return Answer(.extendedTooOften, hold: hold)
    }
    hold.expiresAt = expiresAt
    change(&hold, to: .active, .holdExtended, now, trace)
    return Answer(.extended, hold: hold)
  }

  private mutating func expire(_ id: HoldID, _ now: UInt64) -> Answer {
    guard var hold = find(id) else { return Answer(.noSuchHold) }
    if hold.status == .active {
      guard now >= hold.expiresAt else { return Answer(.notDue) }
      guard release(hold) else { return Answer(.stockMismatch) }
      change(&hold, to: .expired, .holdExpired, now)
      return Answer(.expired)
    }
    let remembered = hold.status == .confirmed ? retention.confirmedMs : retention.releasedMs
    if now >= hold.changedAt + remembered {
      holds[id.key] = nil
      return Answer(.forgotten)
    }
    guard booksAreCurrent, holds[id.key]?.isShort == false,
      now >= hold.changedAt + retention.settleMs
    else { return Answer(.notDue) }
    holds[id.key]?.isShort = true
    return Answer(.settled)
  }

  /// An answer with what is remembered of a hold.
  private func answer(_ outcome: Outcome, available: UInt64 = 0, about hold: Hold) -> Answer {
    holds[hold.id.key]?.isShort == true
      ? Answer(outcome, available: available, ended: EndedHold(of: hold))
      : Answer(outcome, available: available, hold: hold)
  }

  private func find(_ id: HoldID) -> Hold? {
    guard let hold = holds[id.key]?.hold, hold.id == id else { return nil }
    return hold
  }

  private mutating func change(
    _ hold: inout Hold, to status: HoldStatus, _ type: EventType, _ now: UInt64,
    _ trace: TraceContext? = nil, _ attribution: Attribution? = nil
  ) {
    hold.status = status
    hold.version += 1
    hold.changedAt = now
    holds[hold.id.key]?.hold = hold
    var event = hold
    (event.changeTrace, event.attribution) = (trace, attribution)
    events.append(.hold(type, event))
  }

  /// Gives the units of a hold back; false when the books are too torn to take them.
  private mutating func release(_ hold: Hold) -> Bool {
    guard var figures = books[hold.sku], figures.held >= hold.qty else { return false }
    figures.available += hold.qty
    figures.held -= hold.qty
    books[hold.sku] = figures
    if let units = units(shown[hold.sku]) { shown[hold.sku] = "\(units + hold.qty)" }
    return true
  }

  // MARK: stock

  private mutating func change(_ order: StockOrder, _ now: UInt64) -> Answer {
    let (sku, print) = (order.sku, order.fingerprint)
    if let known = requests[order.requestID] {
      return known == print ? report(.repeated, sku) : Answer(.requestIDReused)
    }
    if isUnknown(sku) {
      guard case .set = order.change else { return Answer(.unknownSKU) }
    }
    guard var figures = isUnknown(sku) ? Figures.none : books[sku], isUnknown(sku) || isOpen(sku)
    else { return report(.stockMismatch, sku) }
    var type = EventType.stockSet
    switch order.change {
    case .set(let available, let expected):
      if let expected, expected != figures.available { return report(.availableDiffers, sku) }
      (figures.available, figures.isRetired) = (available, false)
    case .adjust(let delta):
      let available = Int64(figures.available) + delta
      guard available >= 0 else { return report(.tooFewAvailable, sku) }
      (figures.available, type) = (UInt64(available), .stockAdjusted)
    case .retire:
      if figures.isRetired { return report(.repeated, sku) }
      (figures.isRetired, type) = (true, .stockRetired)
    }
    let before = figures.supplied
    figures.supplied = figures.available + figures.held + figures.sold
    guard figures.supplied <= Limits.stockUnitsMax else { return report(.tooManyUnits, sku) }
    figures.version += 1
    write(figures, of: sku)
    requests[order.requestID] = print
    record(type, sku, order, figures, Int64(figures.supplied) - Int64(before), now)
    let outcomes: [EventType: Outcome] = [
      .stockSet: .stockSet, .stockAdjusted: .stockAdjusted, .stockRetired: .stockRetired,
    ]
    return report(outcomes[type]!, sku)
  }

  private func list(_ after: SKU?, _ limit: Int) -> Answer {
    let names = books.keys.sorted { $0.text.utf8.lexicographicallyPrecedes($1.text.utf8) }
    let page = Array(
      names.drop { sku in
        after.map { !$0.text.utf8.lexicographicallyPrecedes(sku.text.utf8) } ?? false
      }.prefix(limit))
    return Answer(.found, skus: page, names: UInt64(page.count))
  }

  private mutating func adopt(_ sku: SKU, justAdopted: Bool, _ now: UInt64) -> Answer {
    if isUnknown(sku) { return Answer(.unknownSKU) }
    guard let units = units(shown[sku]), let figures = books[sku] else {
      return report(.stockMismatch, sku)
    }
    if isOpen(sku) { return report(justAdopted ? .stockAdopted : .repeated, sku) }
    guard units + figures.held + figures.sold <= Limits.stockUnitsMax else {
      return report(.tooManyUnits, sku)
    }
    accept(units, of: sku, now)
    return report(.stockAdopted, sku)
  }

  /// A figure that was written by hand before the service had seen the SKU is its stock.
  @discardableResult
  private mutating func adoptIfNew(_ sku: SKU, _ now: UInt64) -> Bool {
    guard books[sku] == nil, let units = units(shown[sku]) else { return false }
    accept(units, of: sku, now)
    return true
  }

  private mutating func accept(_ units: UInt64, of sku: SKU, _ now: UInt64) {
    var figures =
      books[sku] ?? Figures.none
    let before = figures.supplied
    figures.available = units
    figures.supplied = units + figures.held + figures.sold
    figures.version += 1
    write(figures, of: sku)
    record(.stockAdopted, sku, nil, figures, Int64(figures.supplied) - Int64(before), now)
  }

  private mutating func write(_ figures: Figures, of sku: SKU) {
    books[sku] = figures
    shown[sku] = "\(figures.available)"
  }

  private mutating func record(
    _ type: EventType, _ sku: SKU, _ order: StockOrder?, _ figures: Figures, _ delta: Int64,
    _ now: UInt64
  ) {
    events.append(
      .stock(
        type,
        StockChange(
          sku: sku, requestID: order?.requestID, changedAt: now, figures: figures, delta: delta,
          trace: order?.trace, attribution: order?.attribution)))
  }

  private func report(_ outcome: Outcome, _ sku: SKU) -> Answer {
    Answer(
      outcome, figures: books[sku] ?? Figures.none,
      shown: outcome == .stockMismatch ? shown[sku] ?? "" : nil)
  }

  private func isUnknown(_ sku: SKU) -> Bool { books[sku] == nil && shown[sku] == nil }

  private func isOpen(_ sku: SKU) -> Bool {
    guard let figures = books[sku] else { return false }
    return figures.balance && units(shown[sku]) == figures.available
  }

  private func units(_ text: String?) -> UInt64? {
    guard let text, (1...13).contains(text.utf8.count),
      text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let units = UInt64(text), units <= Limits.stockUnitsMax
    else { return nil }
    return units
  }
}
