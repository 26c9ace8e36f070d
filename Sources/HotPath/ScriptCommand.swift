import Inventory
import Wire

/// A batch on its way to Redis: operations go in one by one, `EVALSHA` with every key that they name
/// comes out.  The same memory serves one batch after the other.
struct ScriptCommand: ~Copyable {
  /// What each batch says of the server that sends it.
  struct Sender {
    /// The opening of Redis that this writer has seen; nil: it does not ask for one.
    var opening: Opening?
    /// The last batch that changed something and was answered.
    var answered: UInt64 = 0
    /// This shard of this incarnation of the server.
    let writer: String
    /// Rises by one with every batch of this writer.
    var sequence: UInt64
  }

  /// What the script needs to know beside the operations.
  struct Terms {
    var placing: Store.Placing
    var retentionMs: UInt64
    var retentionCancelledMs: UInt64
  }

  private let keys: KeySpace
  private let arena = Arena()
  private var operations = ByteBuffer(capacity: 64 * 1024)
  private var holdKeys = ByteBuffer(capacity: 16 * 1024)
  private var requestKeys = ByteBuffer(capacity: 1024)
  private var skuKeys = ByteBuffer(capacity: 1024)
  private var holds: UInt16 = 0
  private var requests: UInt16 = 0
  private var places: [SKU: UInt16] = [:]
  /// Most batches are about one SKU.
  private var last: (sku: SKU, place: UInt16)?
  /// Operations.
  private(set) var count = 0
  private var weight = 0

  /// The command, encoded; valid after `encode`.
  private(set) var bytes = ByteBuffer(capacity: 64 * 1024)

  init(keys: KeySpace) {
    self.keys = keys
  }

  /// Whether no more goes into one script call.
  var isFull: Bool {
    weight >= Batch.operationsMax || operations.count >= Batch.operationBytesMax
      || places.count >= Batch.skusMax
  }

  /// Begins the next batch.
  mutating func clear() {
    operations.consume(operations.count)
    holdKeys.consume(holdKeys.count)
    requestKeys.consume(requestKeys.count)
    skuKeys.consume(skuKeys.count)
    bytes.consume(bytes.count)
    (holds, requests, count, weight, last) = (0, 0, 0, 0, nil)
    places.removeAll(keepingCapacity: true)
    arena.reset()
  }

  /// - Parameters:
  ///   - sku: of an operation that does not say it itself.
  ///   - member: for `.expire`: the place, from 1, of the member that is swept.
  mutating func add(_ operation: Operation, sku: SKU?, member: UInt16 = 0) {
    count += 1
    weight += operation.weight
    operations.append(
      operation, places: (key(of: operation), skuPlace(of: operation, sku)), member: member,
      arena: arena)
  }

  private mutating func skuPlace(of operation: Operation, _ sku: SKU?) -> UInt16 {
    if case .reserve(let reservation) = operation, let last, reservation.isOf(last.sku) {
      return last.place
    }
    guard let sku = operation.sku ?? sku else { return 0 }
    return place(of: sku)
  }

  private mutating func key(of operation: Operation) -> UInt16 {
    if let hold = operation.hold {
      holdKeys.append(key: keys.holdArgument, hold)
      holds += 1
      return holds
    }
    guard case .changeStock(let order) = operation else { return 0 }
    requestKeys.append(argument: keys.request(order.requestID))
    requests += 1
    return requests
  }

  private mutating func place(of sku: SKU) -> UInt16 {
    if let last, last.sku == sku { return last.place }
    let place = places[sku] ?? UInt16(places.count + 1)
    last = (sku, place)
    guard place > places.count else { return place }
    places[sku] = place
    skuKeys.append(argument: keys.stock(sku))
    skuKeys.append(argument: keys.figures(sku))
    return place
  }

  /// Puts the command together.
  /// - Parameter swept: the members of the expiry index that these operations sweep.
  mutating func encode(sha: String, sender: Sender, terms: Terms, swept: [[UInt8]]) {
    let keyCount = 4 + Int(holds) + Int(requests) + 2 * places.count
    bytes.append("*\(3 + keyCount + 6 + swept.count + 1)\(crlf)")
    bytes.append(argument: "EVALSHA")
    bytes.append(argument: sha)
    bytes.append(argument: "\(keyCount)")
    bytes.append(argument: keys.fence)
    bytes.append(argument: keys.events)
    bytes.append(argument: keys.expiry)
    bytes.append(argument: keys.skus)
    bytes.append(holdKeys.readable)
    bytes.append(requestKeys.readable)
    bytes.append(skuKeys.readable)
    appendHeader(sender, terms, swept)
    bytes.append(argument: operations.readable)
  }

  private mutating func appendHeader(_ sender: Sender, _ terms: Terms, _ swept: [[UInt8]]) {
    var header = ByteBuffer(capacity: 64)
    header.append(integer: UInt32(holds))
    header.append(integer: UInt32(requests))
    header.append(integer: UInt32(places.count))
    header.append(integer: UInt32(swept.count))
    header.append(integer: terms.placing.rawValue)
    header.append(integer: terms.retentionMs)
    header.append(integer: terms.retentionCancelledMs)
    bytes.append(argument: header.readable)
    bytes.append(
      argument: "\(sender.opening?.epoch.description ?? "0")/\(sender.writer)/\(sender.sequence)")
    bytes.append(argument: sender.writer)
    bytes.append(argument: "\(sender.sequence)")
    bytes.append(argument: sender.opening?.description ?? "")
    bytes.append(argument: "\(sender.answered)")
    for member in swept { member.withUnsafeBytes { bytes.append(argument: $0) } }
  }
}
