import Inventory
import Wire

/// One operation as the script reads it.  The places of its keys are written when its batch is put
/// together.
struct ScriptCall {
  /// The first byte of the operation.
  enum Kind: UInt8 {
    case reserve = 1
    case confirm, cancel, getHold, changeStock, adopt, getStock, expire, listStock, extend
  }

  /// Offset of the key's place (two bytes) in the bytes.
  static let placeOffset = 3
  /// Offset of the SKU's place (two bytes) in the bytes.
  static let skuOffset = 5
  /// Names that cost Redis as much as an operation, about.
  private static let namesPerOperation = 20

  let kind: Kind
  /// The hold whose record is needed.
  let hold: HoldKey?
  /// The request whose record is needed.
  let request: Label?
  /// The SKU whose figures are needed; for an operation on a hold, unknown until the script names it.
  var sku: SKU?
  /// `<I2 B I2 I2` length of all this, kind, place, SKU's place, and what follows for the kind.
  let bytes: [UInt8]
  /// As how many operations it counts: Redis is busy with a page of names for as long as with several.
  let weight: Int

  /// - Parameters:
  ///   - bytes: empty, and left empty: memory that the next call uses again.
  ///   - member: for `.expire`: the place, from 1, of the member that is swept.
  init(
    _ operation: Operation, arena: Arena, through bytes: inout ByteBuffer, member: UInt16 = 0
  ) {
    var weight = 1
    switch operation {
    case .reserve(let reservation):
      bytes.begin(.reserve)
      bytes.append(integer: reservation.ttlMs)
      // From here on as in the record.
      bytes.append(integer: UInt32(reservation.qty))
      bytes.append(integer: reservation.fingerprint)
      bytes.append(integer: UInt8(reservation.sku.text.utf8.count))
      let lengthAt = bytes.count
      bytes.append(integer: UInt16(0))
      reservation.appendEvent(to: &bytes)
      let length = UInt16(bytes.count - lengthAt - 2)
      withUnsafeBytes(of: length.littleEndian) { bytes.overwrite(at: lengthAt, with: $0) }
      (kind, hold, request, sku) = (.reserve, reservation.hold, nil, reservation.sku)
    case .confirm(let id, let paymentRef, let trace):
      bytes.begin(.confirm)
      bytes.append(integer: id.generation)
      bytes.append(trace)
      bytes.append(paymentRef.text)
      (kind, hold, request, sku) = (.confirm, id.key, nil, nil)
    case .cancel(let id, let attribution, let trace):
      bytes.begin(.cancel)
      bytes.append(integer: id.generation)
      bytes.append(trace)
      if let attribution { attribution.appendHoldEvent(to: &bytes, arena: arena) }
      (kind, hold, request, sku) = (.cancel, id.key, nil, nil)
    case .extend(let id, let expiresAt, let trace):
      bytes.begin(.extend)
      bytes.append(integer: id.generation)
      bytes.append(integer: expiresAt)
      bytes.append(trace)
      (kind, hold, request, sku) = (.extend, id.key, nil, nil)
    case .getHold(let key, let generation):
      bytes.begin(.getHold)
      bytes.append(integer: generation ?? 0)
      (kind, hold, request, sku) = (.getHold, key, nil, nil)
    case .changeStock(let order):
      bytes.begin(.changeStock)
      bytes.append(order.change)
      bytes.append(integer: order.fingerprint)
      order.appendEvent(to: &bytes, arena: arena)
      (kind, hold, request, sku) = (.changeStock, nil, order.requestID, order.sku)
    case .adoptStock(let adopted):
      bytes.begin(.adopt)
      (kind, hold, request, sku) = (.adopt, nil, nil, adopted)
    case .getStock(let read):
      bytes.begin(.getStock)
      (kind, hold, request, sku) = (.getStock, nil, nil, read)
    case .listStock(let after, let limit):
      bytes.begin(.listStock)
      bytes.append(integer: UInt16(limit))
      bytes.append(after?.text ?? "")
      (kind, hold, request, sku) = (.listStock, nil, nil, nil)
      weight += limit / Self.namesPerOperation
    case .expire(let id):
      bytes.begin(.expire)
      bytes.append(integer: id.generation)
      bytes.append(integer: member)
      (kind, hold, request, sku) = (.expire, id.key, nil, nil)
    }
    self.weight = weight
    withUnsafeBytes(of: UInt16(bytes.count).littleEndian) { bytes.overwrite(at: 0, with: $0) }
    self.bytes = Array(bytes.readable)
    bytes.consume(bytes.count)
  }
}

extension ByteBuffer {
  /// The kind of an operation, with room for its length and for the places of its keys.
  fileprivate mutating func begin(_ kind: ScriptCall.Kind) {
    append(integer: UInt16(0))
    append(integer: kind.rawValue)
    append(integer: UInt32(0))
  }

  /// `<Bi8i8` what change, how many units, and how many are expected: -1 for any number.
  fileprivate mutating func append(_ change: StockOrder.Change) {
    let parts: (kind: UInt8, amount: Int64, expected: Int64) =
      switch change {
      case .set(let units, let expected): (1, Int64(units), expected.map { Int64($0) } ?? -1)
      case .adjust(let delta): (2, delta, -1)
      case .retire: (3, 0, -1)
      }
    append(integer: parts.kind)
    append(integer: parts.amount)
    append(integer: parts.expected)
  }

  /// `<Bc0` the length of a trace, and the trace.
  fileprivate mutating func append(_ trace: TraceContext?) {
    let binary = trace?.binary ?? []
    append(integer: UInt8(binary.count))
    binary.withUnsafeBytes { append($0) }
  }
}

/// What the script said about one operation.
enum ScriptResult {
  case answer(Answer)
  /// Nothing was done: the hold is of this SKU, whose keys the batch did not name.
  case skuNeeded(SKU)
}

/// A reply that is not what the script of this version writes.
struct ScriptReplyError: Error {}

extension ScriptResult {
  /// Decodes one result.
  /// - Parameter now: the script's time, in milliseconds since 1970.
  init(
    _ said: Store.Reply.Result, for operation: Operation, now: UInt64, arena: Arena
  ) throws {
    var reader = StructReader(said.more)
    if said.code == 255 {
      guard let sku = SKU(reader.rest) else { throw ScriptReplyError() }
      self = .skuNeeded(sku)
      return
    }
    guard let outcome = Outcome(rawValue: said.code) else { throw ScriptReplyError() }
    var answer = Answer(outcome)
    answer.now = now
    answer.available = said.available
    if case .listStock = operation {
      answer.skus = reader.rest.split(separator: UInt8(ascii: "\n")).compactMap {
        SKU(UnsafeRawBufferPointer(rebasing: $0))
      }
    } else if outcome == .held, case .reserve(let reservation) = operation {
      answer.hold = Hold(heldBy: reservation, at: now)
    } else if outcome.carriesFigures(operation), !reader.rest.isEmpty {
      answer.figures = Figures(
        available: answer.available, held: try reader.integer(UInt64.self),
        sold: try reader.integer(UInt64.self), supplied: try reader.integer(UInt64.self),
        version: try reader.integer(UInt64.self),
        isRetired: try reader.integer(UInt8.self) != 0)
      answer.shown = outcome == .stockMismatch ? String(decoding: reader.rest, as: UTF8.self) : nil
    } else if !reader.rest.isEmpty {
      answer.hold = try Hold(storedRecord: reader.rest, arena: arena)
    }
    self = .answer(answer)
  }
}

extension Outcome {
  /// Whether the script writes a SKU's figures after the outcome, rather than a hold's record.
  fileprivate func carriesFigures(_ operation: Operation) -> Bool {
    switch operation {
    case .changeStock, .getStock, .adoptStock: true
    default: self == .stockMismatch
    }
  }
}

extension Hold {
  fileprivate init(heldBy reservation: Reservation, at now: UInt64) {
    self.init(
      id: HoldID(key: reservation.hold, generation: now), status: .active, version: 1,
      sku: reservation.sku, qty: reservation.qty, user: reservation.user, key: reservation.key,
      expiresAt: now + reservation.ttlMs, changedAt: now, trace: reservation.trace)
  }

  /// Decodes what lies at `hold:H-…`: `<BBI4I8I8I8` format, status, version, created, expires,
  /// changed; `<I4c8BI2` units, fingerprint, length of the SKU, length of the event's first part; then
  /// that part, and the payment reference of a confirmed hold.
  init(storedRecord bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    var reader = StructReader(bytes)
    guard try reader.integer(UInt8.self) == 1 else { throw ScriptReplyError() }
    guard let status = HoldStatus(rawValue: try reader.integer(UInt8.self)) else {
      throw ScriptReplyError()
    }
    let version = try reader.integer(UInt32.self)
    let created = try reader.integer(UInt64.self)
    let expires = try reader.integer(UInt64.self)
    let changed = try reader.integer(UInt64.self)
    _ = try reader.integer(UInt32.self)
    _ = try reader.integer(UInt64.self)
    _ = try reader.integer(UInt8.self)
    let partBytes = Int(try reader.integer(UInt16.self))
    let rest = reader.rest
    guard rest.count >= partBytes else { throw ScriptReplyError() }
    let reference = UnsafeRawBufferPointer(rebasing: rest[partBytes...])
    self = try Hold(
      record: UnsafeRawBufferPointer(rebasing: rest[..<partBytes]), status: status,
      version: UInt64(version), createdAt: created, expiresAt: expires, changedAt: changed,
      paymentRef: reference.isEmpty ? nil : Label(reference), arena: arena)
  }
}

/// Reads little-endian integers off the front of some bytes.
struct StructReader {
  private(set) var rest: UnsafeRawBufferPointer

  init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

  mutating func integer<Integer: FixedWidthInteger>(_ type: Integer.Type) throws -> Integer {
    let size = MemoryLayout<Integer>.size
    guard rest.count >= size else { throw ScriptReplyError() }
    let value = Integer(littleEndian: rest.loadUnaligned(as: Integer.self))
    rest = UnsafeRawBufferPointer(rebasing: rest[size...])
    return value
  }
}

extension ByteBuffer {
  /// Appends an integer, least byte first.
  mutating func append<Integer: FixedWidthInteger>(integer: Integer) {
    withUnsafeBytes(of: integer.littleEndian) { append($0) }
  }

  /// Appends one argument of a Redis command (RESP's bulk string).
  mutating func append(argument bytes: UnsafeRawBufferPointer) {
    begin(argument: bytes.count)
    append(bytes)
    append(crlf)
  }

  /// Appends one argument of a Redis command (RESP's bulk string).
  mutating func append(argument text: String) {
    var text = text
    text.withUTF8 { append(argument: UnsafeRawBufferPointer($0)) }
  }

  /// Appends the key of a hold as an argument.
  mutating func append(key prefix: String, _ hold: HoldKey) {
    begin(argument: prefix.utf8.count + HoldKey.textBytes)
    append(prefix)
    hold.write(into: room(HoldKey.textBytes).assumingMemoryBound(to: UInt8.self))
    advance(HoldKey.textBytes)
    append(crlf)
  }

  /// The length that comes before an argument of `count` bytes.
  mutating func begin(argument count: Int) {
    append("$")
    append(decimal: UInt64(count))
    append(crlf)
  }
}

/// Ends every line of Redis's protocol.
let crlf = "\r\n"
