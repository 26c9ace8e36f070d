import Glibc

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
/// references up and down each time, which was a tenth of a call.  For the same reason the texts are
/// bytes in one place, and a `SKU` or a `Label` only for whoever asks.
///
/// Sendable: nothing changes after `init`, and the texts are freed with the last reference.
public final class Reservation: Hashable, @unchecked Sendable {
  /// Texts of a request where they lie, of which `SKU.allows` and `Label.allows` have been told.
  public typealias Texts = (
    sku: UnsafeRawBufferPointer, user: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer
  )

  /// The identity: a digest of user and key.
  public let hold: HoldKey
  /// How many units; all or none.
  public let qty: UInt64
  /// Milliseconds from now to the deadline.
  public let ttlMs: UInt64
  /// Tells another request under the same key: of SKU, units, and life span as the caller wrote it.
  public let fingerprint: UInt64
  /// The trace of the call; no part of the request's identity.
  public let trace: TraceContext?
  /// User, key and SKU, one after the other.
  private let texts: UnsafeMutableRawBufferPointer
  private let keyAt: Int
  private let skuAt: Int

  /// - Parameters:
  ///   - texts: are copied.
  ///   - requestedTTLMs: as the caller wrote it, 0 for the default, so that a changed default does
  ///     not make a repeated call another request.
  public init(
    hold: HoldKey, _ texts: Texts, qty: UInt64, ttlMs: UInt64, requestedTTLMs: UInt64,
    trace: TraceContext? = nil
  ) {
    self.hold = hold
    self.qty = qty
    self.ttlMs = ttlMs
    self.trace = trace
    (keyAt, skuAt) = (texts.user.count, texts.user.count + texts.key.count)
    let start = UnsafeMutableRawPointer.allocate(byteCount: skuAt + texts.sku.count, alignment: 1)
    self.texts = UnsafeMutableRawBufferPointer(start: start, count: skuAt + texts.sku.count)
    start.copyMemory(from: texts.user.baseAddress!, byteCount: texts.user.count)
    (start + keyAt).copyMemory(from: texts.key.baseAddress!, byteCount: texts.key.count)
    (start + skuAt).copyMemory(from: texts.sku.baseAddress!, byteCount: texts.sku.count)
    var print = Fingerprint()
    print.mix(texts.sku)
    print.mix(qty)
    print.mix(requestedTTLMs)
    fingerprint = print.value
  }

  deinit { texts.deallocate() }

  /// The same of texts that have been taken out.
  public static func of(
    hold: HoldKey, sku: SKU, qty: UInt64, user: Label, key: Label, ttlMs: UInt64,
    requestedTTLMs: UInt64, trace: TraceContext? = nil
  ) -> Reservation {
    var (sku, user, key) = (sku.text, user.text, key.text)
    return sku.withUTF8 { sku in
      user.withUTF8 { user in
        key.withUTF8 { key in
          let texts: Texts = (
            UnsafeRawBufferPointer(sku), UnsafeRawBufferPointer(user), UnsafeRawBufferPointer(key)
          )
          return Reservation(
            hold: hold, texts, qty: qty, ttlMs: ttlMs, requestedTTLMs: requestedTTLMs, trace: trace)
        }
      }
    }
  }

  /// Length of what to hold.
  public var skuBytes: Int { texts.count - skuAt }
  /// What to hold.
  public var sku: SKU { withTexts { SKU($0.sku)! } }
  /// Who holds.
  public var user: Label { withTexts { Label($0.user)! } }
  /// The idempotency key that the user chose.
  public var key: Label { withTexts { Label($0.key)! } }

  /// Whether this is what to hold.
  public func isOf(_ sku: SKU) -> Bool {
    var text = sku.text
    return text.withUTF8 { text in
      withTexts {
        $0.sku.count == text.count
          && memcmp($0.sku.baseAddress!, text.baseAddress!, text.count) == 0
      }
    }
  }

  /// The texts where they lie, valid inside `body`.
  public func withTexts<Result>(_ body: (Texts) -> Result) -> Result {
    body(
      (
        sku: UnsafeRawBufferPointer(rebasing: texts[skuAt...]),
        user: UnsafeRawBufferPointer(rebasing: texts[..<keyAt]),
        key: UnsafeRawBufferPointer(rebasing: texts[keyAt..<skuAt])
      ))
  }

  /// Whether two ask for the same, in the same call.
  public static func == (one: Reservation, other: Reservation) -> Bool {
    one.hold == other.hold && one.texts.elementsEqual(other.texts) && one.keyAt == other.keyAt
      && one.skuAt == other.skuAt && one.qty == other.qty && one.ttlMs == other.ttlMs
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
    text.withUTF8 { mix(UnsafeRawBufferPointer($0)) }
  }

  /// The same of the text's bytes.
  public mutating func mix(_ text: UnsafeRawBufferPointer) {
    for byte in text { step(byte) }
    mix(UInt64(text.count))
  }

  /// Takes in a number, least byte first.
  public mutating func mix(_ number: UInt64) {
    for shift in stride(from: 0, to: 64, by: 8) { step(UInt8(truncatingIfNeeded: number >> shift)) }
  }

  private mutating func step(_ byte: UInt8) {
    value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
  }
}
