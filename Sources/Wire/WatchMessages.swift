import CStockProto
public import Inventory

/// Asks for the figures of some SKUs, and for each change of them.
public struct WatchStockRequest: StreamRequest, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = StockUpdate
  /// See `RequestMessage`.
  public static let method = "stock.v1.Stock/Watch"
  /// SKUs of one stream.
  public static let skusMax = 256

  /// 1 to `skusMax`, each once; the server checks it.
  public var skus: [String]
  /// The token of the last update that the caller has, or empty.
  public var after: String

  /// A request as the caller writes it; the server checks it.
  public init(skus: [String], after: String = "") {
    self.skus = skus
    self.after = after
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__WatchStockRequest()
    stock__v1__watch_stock_request__init(&message)
    message.n_skus = skus.count
    message.skus = arena.list(skus.map { arena.bytes($0) })
    message.after = arena.bytes(after)
    buffer.append(message: &message)
  }
}

/// One SKU as it is now.
public struct StockUpdate: ReplyMessage, Sendable, Hashable {
  /// FOUND or UNKNOWN_SKU; nil: one that this version does not know.
  public var outcome: Outcome?
  /// With UNKNOWN_SKU, all of its figures are 0.
  public var stock: StockLevel
  /// The figure in Redis was changed by hand: nothing is sold until it is adopted.
  public var isClosed: Bool
  /// Where to resume.
  public var token: String

  /// An update from its parts.
  public init(outcome: Outcome, stock: StockLevel, isClosed: Bool, token: String) {
    self.outcome = outcome
    self.stock = stock
    self.isClosed = isClosed
    self.token = token
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__StockUpdate()
    stock__v1__stock_update__init(&message)
    message.outcome = outcome.onTheWire
    message.stock = arena.place(stock.message(arena))
    message.closed = isClosed ? 1 : 0
    message.token = arena.bytes(token)
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard let message = arena.unpack(bytes, stock__v1__stock_update__unpack),
      let stock = message.pointee.stock
    else { throw MessageError() }
    outcome = Outcome(message.pointee.outcome)
    self.stock = StockLevel(stock.pointee)
    isClosed = message.pointee.closed != 0
    token = message.pointee.token.text
  }
}

/// What a valid `WatchStockRequest` asks for.
public struct WatchStock: Sendable, Hashable {
  /// Each once, in the caller's order.
  public let skus: [SKU]
  /// nil: the caller knows nothing yet.
  public let after: StockDigest?
}

/// Stands for what a watcher knows: the sum of one number for each SKU, so that the order in which it
/// learned them does not matter.  Not a secret, and not for telling friend from foe.
public struct StockDigest: Sendable, Hashable, CustomStringConvertible {
  private var sum: UInt64

  /// Of somebody who knows nothing.
  public init() { sum = 0 }

  /// nil: not the text of a digest.
  public init?(_ text: String) {
    guard text.utf8.count == 16, text.allSatisfy(\.isHexDigit), let sum = UInt64(text, radix: 16)
    else { return nil }
    self.sum = sum
  }

  /// Learns one SKU's state.
  public mutating func learn(_ fingerprint: UInt64) { sum &+= fingerprint }
  /// Forgets what it had learned of one SKU.
  public mutating func forget(_ fingerprint: UInt64) { sum &-= fingerprint }

  /// 16 hexadecimal digits.
  public var description: String {
    let digits = String(sum, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// One SKU's state in 64 bits, the same in every process: FNV-1a
  /// (http://www.isthe.com/chongo/tech/comp/fnv/), and the last steps of SplitMix64, without which
  /// sums of small figures would meet.
  public static func fingerprint(
    _ sku: SKU, _ outcome: Outcome, _ figures: Figures, isClosed: Bool
  ) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func take(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    for byte in sku.text.utf8 { take(byte) }
    take(outcome.rawValue)
    take((isClosed ? 1 : 0) | (figures.isRetired ? 2 : 0))
    let parts = [
      figures.available, figures.held, figures.sold, figures.supplied, figures.version,
    ]
    for part in parts { withUnsafeBytes(of: part.littleEndian) { $0.forEach(take) } }
    hash = (hash ^ hash >> 30) &* 0xbf58_476d_1ce4_e5b9
    hash = (hash ^ hash >> 27) &* 0x94d0_49bb_1331_11eb
    return hash ^ hash >> 31
  }
}

extension OperationDecoder {
  /// Decodes a `WatchStockRequest`.
  public func watchStock(
    _ bytes: UnsafeRawBufferPointer, arena: Arena
  ) throws(Status) -> WatchStock {
    let fields = WatchStockRequest.skusMax + Arena.fieldsMax
    guard
      let message = arena.unpack(
        bytes, fieldsMax: fields, stock__v1__watch_stock_request__unpack)
    else { throw .malformedMessage }
    let request = message.pointee
    let skus = try Self.skus(
      request.n_skus, request.skus, "skus", max: WatchStockRequest.skusMax)
    guard !skus.isEmpty else { throw .invalid("skus", "at least one SKU") }
    guard request.after.len > 0 else { return WatchStock(skus: skus, after: nil) }
    guard let after = StockDigest(request.after.text) else {
      throw .invalid("after", "the token of an update")
    }
    return WatchStock(skus: skus, after: after)
  }

  /// A list of SKUs, each once.
  static func skus(
    _ count: Int, _ list: UnsafeMutablePointer<ProtobufCBinaryData>?, _ field: String, max: Int
  ) throws(Status) -> [SKU] {
    guard count <= max else { throw .invalid(field, "at most \(max) SKUs") }
    var skus: [SKU] = []
    var seen: Set<SKU> = []
    for place in 0..<count {
      guard let sku = SKU(list![place].view) else {
        throw .invalid(
          "\(field)[\(place)]", "1 to \(Limits.skuBytesMax) bytes of A-Z a-z 0-9 . _ - /")
      }
      guard seen.insert(sku).inserted else {
        throw .invalid("\(field)[\(place)]", "named once")
      }
      skus.append(sku)
    }
    return skus
  }
}
