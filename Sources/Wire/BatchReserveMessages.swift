import CStockProto
public import Inventory

/// Many reserves that have nothing to do with each other, in one frame.
public struct BatchReserveRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = BatchReserveReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Reservations/BatchReserve"
  /// Items in one call: with every text at its longest they fit into a frame.
  public static let itemsMax = 4_096

  /// 1 to `itemsMax`; the server checks it.
  public var items: [ReserveRequest]
  /// Of every item; nil: the server's default.
  public var acknowledge: Acknowledgement?

  /// A request as the caller writes it; the server checks it.
  public init(items: [ReserveRequest], acknowledge: Acknowledgement? = nil) {
    self.items = items
    self.acknowledge = acknowledge
  }

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__BatchReserveRequest()
    stock__v1__batch_reserve_request__init(&message)
    message.n_items = items.count
    message.items = arena.list(
      items.map { item -> UnsafeMutablePointer<Stock__V1__ReserveRequest>? in
        arena.place(item.message(arena))
      })
    message.acknowledge = acknowledge.onTheWire
    buffer.append(message: &message)
  }
}

/// What became of each item, in the order of the items.
public struct BatchReserveReply: ReplyMessage, Sendable {
  /// Bytes of one item's error message.  `itemsMax` failures must fit into one frame.
  static let messageBytesMax = 320

  /// One for each item: what Reserve would have answered.
  public var results: [Result<ReserveReply, Status>]

  /// A reply from its parts.
  public init(results: [Result<ReserveReply, Status>]) { self.results = results }

  /// Appends the encoded message: by hand, as `ReserveReply` does.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    // Their lengths come before them.
    var item = ByteBuffer(capacity: 256)
    var reply = ByteBuffer(capacity: 256)
    for result in results {
      switch result {
      case .success(let held):
        held.encode(into: &reply, arena: arena)
        item.append(field: 3, bytes: reply.readable)
        reply.consume(reply.count)
      case .failure(let status): Self.append(status, to: &item, arena: arena)
      }
      buffer.append(field: 1, bytes: item.readable)
      item.consume(item.count)
    }
  }

  private static func append(_ status: Status, to buffer: inout ByteBuffer, arena: Arena) {
    var one = Stock__V1__ReserveResult()
    stock__v1__reserve_result__init(&one)
    one.status = Stock__V1__Code(rawValue: numericCast(status.code.rawValue))
    var short = status
    short.message = String(decoding: status.message.utf8.prefix(messageBytesMax), as: UTF8.self)
    one.detail = arena.place(short.detail(arena))
    buffer.append(message: &one)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    let fields = BatchReserveRequest.itemsMax + Arena.fieldsMax
    guard
      let message = arena.unpack(
        bytes, fieldsMax: fields, stock__v1__batch_reserve_reply__unpack)
    else { throw MessageError() }
    results = (0..<message.pointee.n_results).compactMap { place in
      guard let one = message.pointee.results[place]?.pointee else { return nil }
      let code = Code(rawValue: UInt32(one.status.rawValue)) ?? .unknown
      guard code == .ok, let reply = one.reply else {
        return .failure(Status(code == .ok ? .unknown : code, one.detail?.pointee))
      }
      return .success(ReserveReply(reply.pointee))
    }
  }
}

extension OperationDecoder {
  /// After so many items of a batch whoever decodes it may do something else.
  private static var itemsAtOnce: Int { 64 }

  /// Decodes a `BatchReserveRequest`: each item by itself, in memory that the next one uses again.
  /// - Parameter meanwhile: called from time to time: a thousand items take a millisecond.
  /// - Returns: for each item its reservation, or what is wrong with it; the field of that status
  ///   names the item: "items[17].qty".
  public func batchReserve(
    _ bytes: UnsafeRawBufferPointer, trace: TraceContext? = nil, meanwhile: () -> Void = {}
  ) throws(Status) -> Asked<[Result<Reservation, Status>]> {
    let (items, level) = try Self.items(of: bytes)
    let arena = itemArena
    var decoded: [Result<Reservation, Status>] = []
    decoded.reserveCapacity(items.count)
    for (place, item) in items.enumerated() {
      do throws(Status) {
        let asked = try reserve(item, arena: arena, trace: trace)
        guard asked.level == nil else {
          throw .invalid("acknowledge", "left out: the batch says it for all its items")
        }
        decoded.append(.success(asked.value))
      } catch {
        guard !error.field.isEmpty else { throw error }
        var status = error
        status.field = "items[\(place)].\(error.field)"
        decoded.append(.failure(status))
      }
      arena.reset()
      if (place + 1).isMultiple(of: Self.itemsAtOnce) { meanwhile() }
    }
    return try Asked(decoded, at: level)
  }

  /// Where each item lies, and what the batch says of its acknowledgement.  More than `itemsMax` are
  /// refused before anything is decoded.
  private static func items(
    of bytes: UnsafeRawBufferPointer
  ) throws(Status) -> ([UnsafeRawBufferPointer], Stock__V1__Acknowledge) {
    var items: [UnsafeRawBufferPointer] = []
    var level = Stock__V1__Acknowledge(rawValue: 0)
    var others = 0
    var fields = MessageFields(bytes)
    while let field = fields.next() {
      guard field.number == 1 else {
        others += 1
        guard others <= Arena.fieldsMax else { throw .malformedMessage }
        if field.number == 2, let number = field.varint {
          level = Stock__V1__Acknowledge(rawValue: UInt32(truncatingIfNeeded: number))
        }
        continue
      }
      guard let item = field.bytes else { throw .malformedMessage }
      guard items.count < BatchReserveRequest.itemsMax else {
        throw .invalid("items", "at most \(BatchReserveRequest.itemsMax) reserves")
      }
      items.append(item)
    }
    guard !fields.isMalformed else { throw .malformedMessage }
    guard !items.isEmpty else { throw .invalid("items", "at least one reserve") }
    return (items, level)
  }
}
