import Inventory
import Wire

/// Encodes events as the server and the script do together: the first part by protobuf, the second
/// field by field as in events.proto.
enum EventBytes {
  static func of(_ event: Event) -> [UInt8] {
    switch event {
    case .hold(_, let hold): of(hold)
    case .stock(_, let change): of(change)
    }
  }

  private static func of(_ hold: Hold) -> [UInt8] {
    let reservation = Reservation.of(
      hold: hold.id.key, sku: hold.sku, qty: hold.qty, user: hold.user, key: hold.key, ttlMs: 1,
      requestedTTLMs: 0)
    var buffer = ByteBuffer()
    reservation.appendEvent(to: &buffer)
    var bytes = Array(buffer.readable)
    fixed(8, hold.createdAt, to: &bytes)
    bytes += [9 << 3, hold.status.rawValue]
    fixed(10, hold.version, to: &bytes)
    fixed(11, hold.changedAt, to: &bytes)
    fixed(12, hold.expiresAt, to: &bytes)
    if let reference = hold.paymentRef { text(13, reference.text, to: &bytes) }
    // Fields from 16 on have a second byte in front.
    if let reason = hold.attribution?.reason { text([0x82, 0x01], reason.text, to: &bytes) }
    if let actor = hold.attribution?.actor { text([0x8A, 0x01], actor.text, to: &bytes) }
    return bytes
  }

  private static func of(_ change: StockChange) -> [UInt8] {
    var bytes: [UInt8] = []
    text(1, change.sku.text, to: &bytes)
    if let request = change.requestID { text(2, request.text, to: &bytes) }
    if let reason = change.attribution?.reason { text(4, reason.text, to: &bytes) }
    if let actor = change.attribution?.actor { text(5, actor.text, to: &bytes) }
    return bytes + secondPart(of: change)
  }

  /// What the script appends to the part that the server has made.
  static func secondPart(of change: StockChange) -> [UInt8] {
    var bytes: [UInt8] = []
    let figures = change.figures
    fixed(8, figures.version, to: &bytes)
    fixed(9, change.changedAt, to: &bytes)
    fixed(10, figures.available, to: &bytes)
    fixed(11, figures.held, to: &bytes)
    fixed(12, figures.sold, to: &bytes)
    fixed(13, figures.supplied, to: &bytes)
    fixed(14, UInt64(bitPattern: change.delta), to: &bytes)
    if figures.isRetired { bytes += [0x80, 0x01, 1] }
    return bytes
  }

  private static func fixed(_ field: UInt8, _ value: UInt64, to bytes: inout [UInt8]) {
    bytes.append(field << 3 | 1)
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  private static func text(_ field: UInt8, _ text: String, to bytes: inout [UInt8]) {
    self.text([field << 3 | 2], text, to: &bytes)
  }

  private static func text(_ tag: [UInt8], _ text: String, to bytes: inout [UInt8]) {
    precondition(text.utf8.count < 128)
    bytes += tag + [UInt8(text.utf8.count)]
    bytes += text.utf8
  }
}
