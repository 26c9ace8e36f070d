import Inventory
import Wire

/// What lies at `hold:H-…`.
enum HoldRecord {
  case whole(Hold)
  /// The hold has ended and is in the books.
  case ended(EndedHold)

  /// Bytes of a record in short: `<I6I4I4BI2c8` created, deadline and last change after that, status,
  /// version, fingerprint; behind it, of a confirmed hold, 16 digits of the SHA-1 of its payment
  /// reference.
  static let shortBytes = 25...41

  /// Decodes a record.
  /// - Parameter key: under which it lies: a short one does not say it itself.
  init(_ bytes: UnsafeRawBufferPointer, of key: HoldKey, arena: Arena) throws {
    guard Self.shortBytes.contains(bytes.count) else {
      self = .whole(try Hold(storedRecord: bytes, arena: arena))
      return
    }
    var reader = StructReader(bytes)
    let created =
      UInt64(try reader.integer(UInt32.self)) | UInt64(try reader.integer(UInt16.self)) << 32
    let expires = try reader.integer(UInt32.self)
    let changed = try reader.integer(UInt32.self)
    guard let status = HoldStatus(rawValue: try reader.integer(UInt8.self)) else {
      throw ScriptReplyError()
    }
    self = .ended(
      EndedHold(
        id: HoldID(key: key, generation: created), status: status,
        version: UInt64(try reader.integer(UInt16.self)), expiresAt: created + UInt64(expires),
        changedAt: created + UInt64(changed)))
  }

  /// Whether it is of a later life of the same key.
  func isLater(than hold: Hold) -> Bool {
    switch self {
    case .whole(let whole): whole.createdAt > hold.createdAt
    case .ended(let ended): ended.createdAt > hold.createdAt
    }
  }

  /// Whether it says what the books say of a hold, as far as it says anything.
  func agrees(with hold: Hold) -> Bool {
    switch self {
    case .whole(let whole): whole.agrees(with: hold)
    case .ended(let ended): ended == EndedHold(of: hold)
    }
  }
}

// A hold as the script would have written it, from what the books know of it.
extension Hold {
  /// Fingerprint of a record that was rebuilt: the books do not know which life span the caller asked
  /// for, so that a repeated reserve is compared by SKU and quantity alone.
  static let unknownFingerprint: UInt64 = 0

  /// Decodes what lies at `hold:H-…`.  It begins as the event HOLD_CREATED, with its numbers at fixed
  /// places: `<BI8BBBI8BI8BI8` created, status, version, changed, expires, each behind its tag; then
  /// the tag and the length of `HoldEvent.kept`, which is `<I4c8BI2` units, fingerprint, length of the
  /// SKU, length of the event's first part; then that part.  Behind it stands the payment reference of
  /// a confirmed hold.
  init(storedRecord bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    var reader = StructReader(bytes)
    let created = try reader.integer(UInt64.self, behind: Self.tags.created)
    let written = try reader.integer(UInt8.self, behind: Self.tags.status)
    guard let status = HoldStatus(rawValue: written) else { throw ScriptReplyError() }
    let version = try reader.integer(UInt64.self, behind: Self.tags.version)
    let changed = try reader.integer(UInt64.self, behind: Self.tags.changed)
    let expires = try reader.integer(UInt64.self, behind: Self.tags.expires)
    for byte in Self.kept where try reader.integer(UInt8.self) != byte { throw ScriptReplyError() }
    _ = try reader.integer(UInt32.self)
    _ = try reader.integer(UInt64.self)
    _ = try reader.integer(UInt8.self)
    let partBytes = Int(try reader.integer(UInt16.self))
    let rest = reader.rest
    guard rest.count >= partBytes else { throw ScriptReplyError() }
    let reference = UnsafeRawBufferPointer(rebasing: rest[partBytes...])
    self = try Hold(
      record: UnsafeRawBufferPointer(rebasing: rest[..<partBytes]), status: status,
      version: version, createdAt: created, expiresAt: expires, changedAt: changed,
      paymentRef: reference.isEmpty ? nil : Label(reference), arena: arena)
  }

  /// Appends what lies at `hold:H-…`; the layout is that of `init(storedRecord:arena:)`.
  func appendStoredRecord(to bytes: inout ByteBuffer) {
    bytes.append(createdAt, behind: Self.tags.created)
    bytes.append(status.rawValue, behind: Self.tags.status)
    bytes.append(version, behind: Self.tags.version)
    bytes.append(changedAt, behind: Self.tags.changed)
    bytes.append(expiresAt, behind: Self.tags.expires)
    Self.kept.withUnsafeBytes { bytes.append($0) }
    bytes.append(integer: UInt32(qty))
    bytes.append(integer: Self.unknownFingerprint)
    bytes.append(integer: UInt8(sku.text.utf8.count))
    let lengthAt = bytes.count
    bytes.append(integer: UInt16(0))
    Reservation.of(
      hold: id.key, sku: sku, qty: qty, user: user, key: key, ttlMs: expiresAt - createdAt,
      requestedTTLMs: 0, trace: trace
    ).appendEvent(to: &bytes)
    let length = UInt16(bytes.count - lengthAt - 2)
    withUnsafeBytes(of: length.littleEndian) { bytes.overwrite(at: lengthAt, with: $0) }
    if let paymentRef { bytes.append(paymentRef.text) }
  }

  /// Of `HoldEvent`'s fields 8 to 12.
  private static let tags:
    (created: UInt8, status: UInt8, version: UInt8, changed: UInt8, expires: UInt8) =
      (0x41, 0x48, 0x51, 0x59, 0x61)
  /// Tag and length of `HoldEvent.kept`.
  private static let kept: [UInt8] = [0x92, 0x01, 15]

  /// Whether both say the same, but for the trace, which the books do not keep.
  func agrees(with other: Hold) -> Bool {
    var (one, two) = (self, other)
    (one.trace, two.trace) = (nil, nil)
    return one == two
  }
}

extension StructReader {
  fileprivate mutating func integer<Integer: FixedWidthInteger>(
    _ type: Integer.Type, behind tag: UInt8
  ) throws -> Integer {
    guard try integer(UInt8.self) == tag else { throw ScriptReplyError() }
    return try integer(type)
  }
}

extension ByteBuffer {
  fileprivate mutating func append(_ integer: some FixedWidthInteger, behind tag: UInt8) {
    append(integer: tag)
    append(integer: integer)
  }
}
