/// What a caller asks the store to do.  Everything inside has been validated.
public enum Operation: Hashable, Sendable {
  case reserve(Reservation)
  case confirm(HoldID, paymentRef: Label, trace: TraceContext? = nil)
  /// - Parameter by: who and why, when a person releases a hold.
  case cancel(HoldID, by: Attribution? = nil, trace: TraceContext? = nil)
  /// - Parameter expiresAt: the later deadline, in milliseconds since 1970; it also tells a repeat.
  case extend(HoldID, expiresAt: UInt64, trace: TraceContext? = nil)
  case getHold(HoldKey, generation: UInt64?)
  case changeStock(StockOrder)
  case adoptStock(SKU)
  case getStock(SKU)
  /// The SKUs after one, in the order of their bytes.
  case listStock(after: SKU?, limit: Int)
  /// Only the sweep asks: end this hold if its deadline has passed, forget it if its retention has.
  case expire(HoldID)
}

/// A request for units, with the identity of the hold that it would make.
///
/// A class, since it goes through many hands on its way: handing on three texts would count three
/// references up and down each time, which was a tenth of a call.
public final class Reservation: Hashable, Sendable {
  /// The identity: a digest of user and key.
  public let hold: HoldKey
  /// What to hold.
  public let sku: SKU
  /// How many units; all or none.
  public let qty: UInt64
  /// Who holds.
  public let user: Label
  /// The idempotency key that the user chose.
  public let key: Label
  /// Milliseconds from now to the deadline.
  public let ttlMs: UInt64
  /// Tells another request under the same key.  See `fingerprint(sku:qty:requestedTTLMs:)`.
  public let fingerprint: UInt64
  /// The trace of the call; no part of the request's identity.
  public let trace: TraceContext?

  /// - Parameter requestedTTLMs: as the caller wrote it, 0 for the default, so that a changed
  ///   default does not make a repeated call another request.
  public init(
    hold: HoldKey, sku: SKU, qty: UInt64, user: Label, key: Label, ttlMs: UInt64,
    requestedTTLMs: UInt64, trace: TraceContext? = nil
  ) {
    self.hold = hold
    self.sku = sku
    self.qty = qty
    self.user = user
    self.key = key
    self.ttlMs = ttlMs
    self.trace = trace
    var print = Fingerprint()
    print.mix(sku.text)
    print.mix(qty)
    print.mix(requestedTTLMs)
    fingerprint = print.value
  }

  /// Whether two ask for the same, in the same call.
  public static func == (one: Reservation, other: Reservation) -> Bool {
    one.hold == other.hold && one.sku == other.sku && one.qty == other.qty
      && one.user == other.user && one.key == other.key && one.ttlMs == other.ttlMs
      && one.fingerprint == other.fingerprint && one.trace == other.trace
  }

  /// By the hold's identity, which tells nearly all.
  public func hash(into hasher: inout Hasher) { hasher.combine(hold) }
}

/// FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/), over canonical fields.  It guards
/// against mistakes, not against an attacker: whoever forges one gets their own hold back.
public struct Fingerprint {
  /// The digest so far.
  public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  /// The digest of nothing.
  public init() {}

  /// Takes in a text, and then its length so that neighbours cannot run into each other.
  public mutating func mix(_ text: String) {
    var text = text
    let count = text.withUTF8 { utf8 in
      for byte in utf8 { step(byte) }
      return utf8.count
    }
    mix(UInt64(count))
  }

  /// Takes in a number, least byte first.
  public mutating func mix(_ number: UInt64) {
    for shift in stride(from: 0, to: 64, by: 8) { step(UInt8(truncatingIfNeeded: number >> shift)) }
  }

  private mutating func step(_ byte: UInt8) {
    value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
  }
}
