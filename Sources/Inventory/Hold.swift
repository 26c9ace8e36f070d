/// Where a hold is in its life.  The numbers are those of the wire and of the stored record.
public enum HoldStatus: UInt8, Sendable, CaseIterable {
  case active = 1
  case confirmed = 2
  case cancelled = 3
  case expired = 4

  /// The name on the wire, in JSON and in the tables.
  public var name: String {
    switch self {
    case .active: "ACTIVE"
    case .confirmed: "CONFIRMED"
    case .cancelled: "CANCELLED"
    case .expired: "EXPIRED"
    }
  }
}

/// A hold as the store knows it.
public struct Hold: Hashable, Sendable {
  /// Key and generation.
  public var id: HoldID
  /// As written down; see `status(at:)`.
  public var status: HoldStatus
  /// 1 when created, one more with every change.
  public var version: UInt64
  /// What is held.
  public var sku: SKU
  /// How many units.
  public var qty: UInt64
  /// Who holds.
  public var user: Label
  /// The idempotency key that the user chose.
  public var key: Label
  /// Milliseconds since 1970: the deadline.
  public var expiresAt: UInt64
  /// Milliseconds since 1970: the last change.
  public var changedAt: UInt64
  /// Set when confirmed.
  public var paymentRef: Label?
  /// The trace of the call that made it.
  public var trace: TraceContext?
  /// The trace of the call behind the last change; known in the event of that change alone.
  public var changeTrace: TraceContext?
  /// Who released it and why; known in the event of that change alone.
  public var attribution: Attribution?
  /// What a HOLD_CORRECTED event is about; nil in any other, and in a record.
  public var correction: Correction?

  /// Milliseconds since 1970.
  public var createdAt: UInt64 { id.generation }

  /// A hold from all its parts.
  public init(
    id: HoldID, status: HoldStatus, version: UInt64, sku: SKU, qty: UInt64, user: Label,
    key: Label, expiresAt: UInt64, changedAt: UInt64, paymentRef: Label? = nil,
    trace: TraceContext? = nil, changeTrace: TraceContext? = nil, attribution: Attribution? = nil,
    correction: Correction? = nil
  ) {
    self.id = id
    self.status = status
    self.version = version
    self.sku = sku
    self.qty = qty
    self.user = user
    self.key = key
    self.expiresAt = expiresAt
    self.changedAt = changedAt
    self.paymentRef = paymentRef
    self.trace = trace
    self.attribution = attribution
    self.correction = correction
    self.changeTrace = changeTrace
  }

  /// A hold as it begins.
  public init(of reservation: Reservation, from now: UInt64) {
    self.init(
      id: HoldID(key: reservation.hold, generation: now), status: .active, version: 1,
      sku: reservation.sku, qty: reservation.qty, user: reservation.user, key: reservation.key,
      expiresAt: now + reservation.ttlMs, changedAt: now, trace: reservation.trace)
  }

  /// The status that a caller is told: a hold past its deadline is expired though no sweep has run.
  public func status(at now: UInt64) -> HoldStatus {
    status == .active && now >= expiresAt ? .expired : status
  }
}
