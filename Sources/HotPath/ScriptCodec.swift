import Inventory
import Wire

/// The first byte of an operation behind its length.
private enum Kind: UInt8 {
  case reserve = 1
  case confirm, cancel, getHold, changeStock, adopt, getStock, expire, listStock, extend
}

extension Operation {
  /// Names that cost Redis as much as an operation, about.
  private static var namesPerOperation: Int { 20 }

  /// The hold whose record the script needs.
  var hold: HoldKey? {
    switch self {
    case .reserve(let reservation): reservation.hold
    case .confirm(let id, _, _), .cancel(let id, _, _), .extend(let id, _, _), .expire(let id):
      id.key
    case .getHold(let key, _): key
    default: nil
    }
  }

  /// The SKU whose figures it needs; nil for an operation on a hold: the script names it.
  var sku: SKU? {
    switch self {
    case .reserve(let reservation): reservation.sku
    case .changeStock(let order): order.sku
    case .adoptStock(let sku), .getStock(let sku): sku
    default: nil
    }
  }

  /// As how many operations it counts: Redis is busy with a page of names for as long as with several.
  var weight: Int {
    if case .listStock(_, let limit) = self { 1 + limit / Self.namesPerOperation } else { 1 }
  }
}

extension ByteBuffer {
  /// Appends an operation as the script reads it: `<I2 B I2 I2` length of all this, kind, place of its
  /// hold's or its request's key, place of its SKU's, and what follows for the kind.
  /// - Parameters:
  ///   - places: from 1; 0 for none.
  ///   - member: for `.expire`: the place, from 1, of the member that is swept.
  mutating func append(
    _ operation: Operation, places: (key: UInt16, sku: UInt16), member: UInt16, arena: Arena
  ) {
    let start = count
    append(integer: UInt16(0))
    append(kind: operation, places)
    switch operation {
    case .reserve(let reservation):
      append(integer: reservation.ttlMs)
      // From here on as in the record.
      append(integer: UInt32(reservation.qty))
      append(integer: reservation.fingerprint)
      append(integer: UInt8(reservation.skuBytes))
      let lengthAt = count
      append(integer: UInt16(0))
      reservation.appendEvent(to: &self)
      overwrite(at: lengthAt, with: UInt16(count - lengthAt - 2))
    case .confirm(let id, let paymentRef, let trace):
      append(integer: id.generation)
      append(trace)
      append(paymentRef.text)
    case .cancel(let id, let attribution, let trace):
      append(integer: id.generation)
      append(trace)
      if let attribution { attribution.appendHoldEvent(to: &self, arena: arena) }
    case .extend(let id, let expiresAt, let trace):
      append(integer: id.generation)
      append(integer: expiresAt)
      append(trace)
    case .getHold(_, let generation): append(integer: generation ?? 0)
    case .changeStock(let order):
      append(order.change)
      append(integer: order.fingerprint)
      order.appendEvent(to: &self, arena: arena)
    case .adoptStock, .getStock: break
    case .listStock(let after, let limit):
      append(integer: UInt16(limit))
      append(after?.text ?? "")
    case .expire(let id):
      append(integer: id.generation)
      append(integer: member)
    }
    overwrite(at: start, with: UInt16(count - start))
  }

  private mutating func append(kind operation: Operation, _ places: (key: UInt16, sku: UInt16)) {
    let kind: Kind =
      switch operation {
      case .reserve: .reserve
      case .confirm: .confirm
      case .cancel: .cancel
      case .extend: .extend
      case .getHold: .getHold
      case .changeStock: .changeStock
      case .adoptStock: .adopt
      case .getStock: .getStock
      case .listStock: .listStock
      case .expire: .expire
      }
    append(integer: kind.rawValue)
    append(integer: places.key)
    append(integer: places.sku)
  }

  fileprivate mutating func overwrite(at offset: Int, with length: UInt16) {
    withUnsafeBytes(of: length.littleEndian) { overwrite(at: offset, with: $0) }
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
  /// Nothing was done: by Redis's clock the deadline had passed.
  case tooLate
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
    if said.code == 254 {
      self = .tooLate
      return
    }
    guard let outcome = Outcome(rawValue: said.code) else { throw ScriptReplyError() }
    var answer: Answer
    if outcome == .held, case .reserve(let reservation) = operation {
      answer = Answer(made: reservation, available: said.available)
    } else if case .listStock = operation {
      let skus = reader.rest.split(separator: UInt8(ascii: "\n")).compactMap {
        SKU(UnsafeRawBufferPointer(rebasing: $0))
      }
      answer = Answer(outcome, skus: skus, names: said.available)
    } else if reader.rest.isEmpty {
      answer = Answer(outcome, available: said.available)
    } else if outcome.carriesFigures(operation) {
      let figures = Figures(
        available: said.available, held: try reader.integer(UInt64.self),
        sold: try reader.integer(UInt64.self), supplied: try reader.integer(UInt64.self),
        version: try reader.integer(UInt64.self),
        isRetired: try reader.integer(UInt8.self) != 0)
      answer = Answer(
        outcome, figures: figures,
        shown: outcome == .stockMismatch ? String(decoding: reader.rest, as: UTF8.self) : nil)
    } else {
      guard let key = operation.hold else { throw ScriptReplyError() }
      switch try HoldRecord(reader.rest, of: key, arena: arena) {
      case .whole(let hold): answer = Answer(outcome, available: said.available, hold: hold)
      case .ended(let ended): answer = Answer(outcome, available: said.available, ended: ended)
      }
    }
    answer.now = now
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
    let size = MemoryLayout<Integer>.size
    room(size).storeBytes(of: integer.littleEndian, as: Integer.self)
    advance(size)
  }

  /// Appends one argument of a Redis command (RESP's bulk string).
  mutating func append(argument bytes: UnsafeRawBufferPointer) {
    begin(argument: bytes.count)
    append(bytes)
    endLine()
  }

  /// Appends one argument of a Redis command (RESP's bulk string).
  mutating func append(argument text: String) {
    var text = text
    text.withUTF8 { append(argument: UnsafeRawBufferPointer($0)) }
  }

  /// Appends a number as an argument, in decimal.
  mutating func append(argument number: UInt64) {
    begin(argument: Self.digits(of: number))
    append(decimal: number)
    endLine()
  }

  /// Appends a text and a number behind it, in decimal, as one argument.
  mutating func append(argument text: UnsafeRawBufferPointer, _ number: UInt64) {
    begin(argument: text.count + Self.digits(of: number))
    append(text)
    append(decimal: number)
    endLine()
  }

  /// Appends a hold's key as an argument.
  /// - Parameter head: the argument's length and what stands in the key before the hold.
  mutating func append(key head: [UInt8], _ hold: HoldKey) {
    let start = room(head.count + HoldKey.textBytes + 2)
    head.withUnsafeBytes { start.copyMemory(from: $0.baseAddress!, byteCount: head.count) }
    hold.write(into: (start + head.count).assumingMemoryBound(to: UInt8.self))
    advance(head.count + HoldKey.textBytes)
    endLine()
  }

  /// The length that comes before an argument of `count` bytes.
  mutating func begin(argument count: Int) {
    begin(UInt8(ascii: "$"), count)
  }

  /// What a command of `count` arguments begins with.
  mutating func begin(command count: Int) {
    begin(UInt8(ascii: "*"), count)
  }

  /// Ends a line of Redis's protocol.
  mutating func endLine() {
    append(integer: UInt16(UInt8(ascii: "\r")) | UInt16(UInt8(ascii: "\n")) << 8)
  }

  private mutating func begin(_ kind: UInt8, _ count: Int) {
    append(integer: kind)
    append(decimal: UInt64(count))
    endLine()
  }

  private static func digits(of number: UInt64) -> Int {
    var (digits, rest) = (1, number)
    while rest >= 10 { (digits, rest) = (digits + 1, rest / 10) }
    return digits
  }
}
