import Inventory
import Wire

// A hold as the script would have written it, from what the books know of it.
extension Hold {
  /// Fingerprint of a record that was rebuilt: the books do not know which life span the caller asked
  /// for, so that a repeated reserve is compared by SKU and quantity alone.
  static let unknownFingerprint: UInt64 = 0

  /// Appends what lies at `hold:H-…`; the layout is that of `init(storedRecord:arena:)`.
  func appendStoredRecord(to bytes: inout ByteBuffer) {
    bytes.append(integer: UInt8(1))
    bytes.append(integer: status.rawValue)
    bytes.append(integer: UInt32(version))
    bytes.append(integer: createdAt)
    bytes.append(integer: expiresAt)
    bytes.append(integer: changedAt)
    bytes.append(integer: UInt32(qty))
    bytes.append(integer: Self.unknownFingerprint)
    bytes.append(integer: UInt8(sku.text.utf8.count))
    let lengthAt = bytes.count
    bytes.append(integer: UInt16(0))
    Reservation(
      hold: id.key, sku: sku, qty: qty, user: user, key: key, ttlMs: expiresAt - createdAt,
      requestedTTLMs: 0, trace: trace
    ).appendEvent(to: &bytes)
    let length = UInt16(bytes.count - lengthAt - 2)
    withUnsafeBytes(of: length.littleEndian) { bytes.overwrite(at: lengthAt, with: $0) }
    if let paymentRef { bytes.append(paymentRef.text) }
  }

  /// Whether both say the same, but for the trace, which the books do not keep.
  func agrees(with other: Hold) -> Bool {
    var (one, two) = (self, other)
    (one.trace, two.trace) = (nil, nil)
    return one == two
  }
}
