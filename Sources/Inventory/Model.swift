/// The rules of the sale as a second opinion: what the batch script must do, in plain Swift and in memory.
///
/// Tests run it beside Redis and compare every answer, figure and event.  It never serves a caller.
public struct Model {
  /// One hold and what tells another request under its key.
  private struct Entry {
    var hold: Hold
    var fingerprint: UInt64
  }

  private var holds: [HoldKey: Entry] = [:]
  private var books: [SKU: Figures] = [:]
  private var requests: [Label: UInt64] = [:]

  /// What `stock:<sku>` holds: the service's figure, or whatever a person wrote there.
  public var shown: [SKU: String] = [:]
  /// Every event so far.
  public private(set) var events: [Event] = []
  /// Milliseconds that a finished hold is remembered.
  public let retentionMs: UInt64
  /// Milliseconds that a cancelled hold is remembered.
  public let retentionCancelledMs: UInt64

  /// An empty store.
  public init(
    retentionMs: UInt64 = Limits.retentionMsDefault,
    retentionCancelledMs: UInt64 = Limits.retentionCancelledMsDefault
  ) {
    self.retentionMs = retentionMs
    self.retentionCancelledMs = retentionCancelledMs
  }

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
    case .cancel(let id, let trace): return cancel(id, trace, now)
    case .getHold(let key, let generation):
      guard let hold = holds[key]?.hold, generation == nil || hold.id.generation == generation
      else { return Answer(.noSuchHold) }
      return Answer(.found, hold: hold)
    case .setStock(let sku, let available, let requestID, let trace):
      adoptIfNew(sku, now)
      return set(sku, available, requestID, trace, now)
    case .adoptStock(let sku):
      let new = adoptIfNew(sku, now)
      return adopt(sku, justAdopted: new, now)
    case .getStock(let sku):
      adoptIfNew(sku, now)
      return report(isOpen(sku) ? .found : isUnknown(sku) ? .unknownSKU : .stockMismatch, sku)
    case .expire(let id): return expire(id, now)
    }
  }

  // MARK: holds

  private mutating func reserve(_ request: Reservation, _ now: UInt64, _ placing: Bool) -> Answer {
    if let known = holds[request.hold] {
      guard known.fingerprint == request.fingerprint else { return Answer(.keyReused) }
      return Answer(.repeated, available: books[request.sku]?.available ?? 0, hold: known.hold)
    }
    if isUnknown(request.sku) { return Answer(.unknownSKU) }
    guard isOpen(request.sku), var figures = books[request.sku] else {
      return report(.stockMismatch, request.sku)
    }
    guard placing else { return Answer(.storeFull, available: figures.available) }
    guard figures.available >= request.qty else {
      return Answer(.soldOut, available: figures.available)
    }
    figures.available -= request.qty
    figures.held += request.qty
    write(figures, of: request.sku)
    let hold = Hold(
      id: HoldID(key: request.hold, generation: now), status: .active, version: 1,
      sku: request.sku, qty: request.qty, user: request.user, key: request.key,
      expiresAt: now + request.ttlMs, changedAt: now, trace: request.trace)
    holds[request.hold] = Entry(hold: hold, fingerprint: request.fingerprint)
    events.append(.hold(.holdCreated, hold))
    return Answer(.held, available: figures.available, hold: hold)
  }

  private mutating func confirm(
    _ id: HoldID, _ paymentRef: Label, _ trace: TraceContext?, _ now: UInt64
  ) -> Answer {
    guard var hold = find(id) else { return Answer(.noSuchHold) }
    switch hold.status(at: now) {
    case .confirmed:
      return Answer(hold.paymentRef == paymentRef ? .repeated : .paymentRefMismatch, hold: hold)
    case .cancelled: return Answer(.alreadyCancelled, hold: hold)
    case .expired: return Answer(.expired, hold: hold)
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

  private mutating func cancel(_ id: HoldID, _ trace: TraceContext?, _ now: UInt64) -> Answer {
    guard var hold = find(id) else { return Answer(.noSuchHold) }
    switch hold.status(at: now) {
    case .confirmed: return Answer(.alreadyConfirmed, hold: hold)
    case .cancelled: return Answer(.repeated, hold: hold)
    case .expired: return Answer(.expired, hold: hold)
    case .active: break
    }
    guard release(hold) else { return report(.stockMismatch, hold.sku) }
    change(&hold, to: .cancelled, .holdCancelled, now, trace)
    return Answer(.cancelled, available: books[hold.sku]!.available, hold: hold)
  }

  private mutating func expire(_ id: HoldID, _ now: UInt64) -> Answer {
    guard var hold = find(id) else { return Answer(.noSuchHold) }
    if hold.status == .active {
      guard now >= hold.expiresAt else { return Answer(.notDue) }
      guard release(hold) else { return Answer(.stockMismatch) }
      change(&hold, to: .expired, .holdExpired, now)
      return Answer(.expired)
    }
    let remembered = hold.status == .cancelled ? retentionCancelledMs : retentionMs
    guard now >= hold.changedAt + remembered else { return Answer(.notDue) }
    holds[id.key] = nil
    return Answer(.forgotten)
  }

  private func find(_ id: HoldID) -> Hold? {
    guard let hold = holds[id.key]?.hold, hold.id == id else { return nil }
    return hold
  }

  private mutating func change(
    _ hold: inout Hold, to status: HoldStatus, _ type: EventType, _ now: UInt64,
    _ trace: TraceContext? = nil
  ) {
    hold.status = status
    hold.version += 1
    hold.changedAt = now
    holds[hold.id.key]?.hold = hold
    var event = hold
    event.changeTrace = trace
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

  private mutating func set(
    _ sku: SKU, _ available: UInt64, _ requestID: Label, _ trace: TraceContext?, _ now: UInt64
  ) -> Answer {
    let fingerprint = Fingerprint.ofStockSet(sku, available)
    if let known = requests[requestID] {
      return known == fingerprint ? report(.repeated, sku) : Answer(.requestIDReused)
    }
    let before =
      isUnknown(sku)
      ? Figures.none : books[sku]
    guard var figures = before, isUnknown(sku) || isOpen(sku) else {
      return report(.stockMismatch, sku)
    }
    let supplied = available + figures.held + figures.sold
    guard supplied <= Limits.stockUnitsMax else { return report(.tooManyUnits, sku) }
    let delta = Int64(supplied) - Int64(figures.supplied)
    (figures.available, figures.supplied) = (available, supplied)
    figures.version += 1
    write(figures, of: sku)
    requests[requestID] = fingerprint
    record(.stockSet, sku, requestID, figures, delta, now, trace)
    return report(.stockSet, sku)
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
    _ type: EventType, _ sku: SKU, _ requestID: Label?, _ figures: Figures, _ delta: Int64,
    _ now: UInt64, _ trace: TraceContext? = nil
  ) {
    events.append(
      .stock(
        type,
        StockChange(
          sku: sku, requestID: requestID, changedAt: now, figures: figures, delta: delta,
          trace: trace)))
  }

  private func report(_ outcome: Outcome, _ sku: SKU) -> Answer {
    var answer = Answer(outcome, available: books[sku]?.available ?? 0, figures: books[sku])
    if outcome == .stockMismatch {
      answer.shown = shown[sku] ?? ""
      answer.figures = answer.figures ?? Figures.none
    }
    return answer
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
