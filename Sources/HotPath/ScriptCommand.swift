import Inventory
import Wire

/// A batch on its way to Redis: operations go in one by one, `EVALSHA` with every key that they name
/// comes out.  The same memory serves one batch after the other.
struct ScriptCommand: ~Copyable {
  /// What each batch says of the server that sends it; what does not change with every batch is spelled
  /// out once.
  final class Sender {
    /// The opening of Redis that this writer has seen; nil: it does not ask for one.
    var opening: Opening? { didSet { spellOut() } }
    /// The script, as Redis has named it.
    var sha = "" { didSet { spellOut() } }
    /// The last batch that changed something and was answered.
    var answered: UInt64 = 0
    /// When a connection was lost last that may still deliver what went into it, in nanoseconds of
    /// CLOCK_MONOTONIC; nil: none was.
    var lostAt: UInt64?
    /// This shard of this incarnation of the server.
    let writer: String
    /// Rises by one with every batch of this writer.
    var sequence: UInt64 = 0
    /// Arguments: that the script is called.
    fileprivate private(set) var call = ByteBuffer(capacity: 128)
    /// What comes before the sequence in the source of an entry.
    fileprivate private(set) var sourceHead = ByteBuffer(capacity: 128)
    /// An argument: `writer`.
    fileprivate private(set) var writerArgument = ByteBuffer(capacity: 128)
    /// An argument: `opening` as the script reads it.
    fileprivate private(set) var openingArgument = ByteBuffer(capacity: 128)

    init(writer: String) {
      self.writer = writer
      writerArgument.append(argument: writer)
      spellOut()
    }

    private func spellOut() {
      call.consume(call.count)
      call.append(argument: "EVALSHA")
      call.append(argument: sha)
      sourceHead.consume(sourceHead.count)
      sourceHead.append("\(opening?.epoch.description ?? "0")/\(writer)/")
      openingArgument.consume(openingArgument.count)
      openingArgument.append(argument: opening?.description ?? "")
    }
  }

  /// What the script needs to know beside the operations.
  struct Terms {
    var placing: Store.Placing
    /// For how long what has ended is remembered now.
    var retention: Retention
    /// The same as it is set.
    var setRetention: Retention
    /// How Redis's clock stands to the deadlines.
    var clock: RedisClock
  }

  private let keys: KeySpace
  /// The keys that every batch names, as arguments.
  private var sharedKeys = ByteBuffer(capacity: 128)
  /// Those that a sweep names.
  private var sweepKeys = ByteBuffer(capacity: 128)
  private let arena = Arena()
  private var operations = ByteBuffer(capacity: 64 * 1024)
  /// Of each operation; of a sweep none is needed.
  private var deadlines: [UInt64] = []
  private var holdKeys = ByteBuffer(capacity: 16 * 1024)
  private var requestKeys = ByteBuffer(capacity: 1024)
  private var skuKeys = ByteBuffer(capacity: 1024)
  private var holds: UInt16 = 0
  private var requests: UInt16 = 0
  private var places: [SKU: UInt16] = [:]
  /// Most batches are about one SKU,
  private var last: (sku: SKU, place: UInt16)?
  /// and most often it is that of the batch before: its keys as arguments.
  private var usual: (sku: SKU, keys: [UInt8])?
  /// Operations.
  private(set) var count = 0
  private var weight = 0

  /// The command, encoded; valid after `encode`.
  private(set) var bytes = ByteBuffer(capacity: 64 * 1024)

  init(keys: KeySpace) {
    self.keys = keys
    for key in [keys.fence, keys.events, keys.expiry, keys.skus] {
      sharedKeys.append(argument: key)
    }
    for key in [keys.confirmed, keys.released, keys.endedCounts] {
      sweepKeys.append(argument: key)
    }
  }

  /// Whether no more goes into one script call.
  var isFull: Bool {
    weight >= Batch.operationsMax || operations.count >= Batch.operationBytesMax
      || places.count >= Batch.skusMax
  }

  /// Begins the next batch.
  mutating func clear() {
    operations.consume(operations.count)
    deadlines.removeAll(keepingCapacity: true)
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
  ///   - deadline: nanoseconds of CLOCK_MONOTONIC, after which it must not happen any more.
  mutating func add(
    _ operation: Operation, sku: SKU?, member: UInt16 = 0, deadline: UInt64 = .max
  ) {
    count += 1
    weight += operation.weight
    deadlines.append(deadline)
    operations.append(
      operation, places: (key(of: operation), skuPlace(of: operation, sku)), member: member,
      arena: arena)
  }

  private mutating func skuPlace(of operation: Operation, _ sku: SKU?) -> UInt16 {
    if case .reserve(let reservation) = operation, let sku = last?.sku ?? usual?.sku,
      reservation.isOf(sku)
    {
      return last?.place ?? place(of: sku)
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
    appendKeys(of: sku)
    return place
  }

  private mutating func appendKeys(of sku: SKU) {
    let isFirst = skuKeys.isEmpty
    if isFirst, let usual, usual.sku == sku {
      return usual.keys.withUnsafeBytes { skuKeys.append($0) }
    }
    skuKeys.append(argument: keys.stock(sku))
    skuKeys.append(argument: keys.figures(sku))
    if isFirst { usual = (sku, Array(skuKeys.readable)) }
  }

  /// Puts the command together.
  /// - Parameter swept: the members of the indexes that these operations sweep.
  mutating func encode(from sender: Sender, _ terms: Terms, swept: [IndexMember]) {
    let isSweep = !swept.isEmpty
    let keyCount = 4 + Int(holds) + Int(requests) + 2 * places.count + (isSweep ? 3 : 0)
    bytes.begin(command: 3 + keyCount + 6 + swept.count + 2 + (isSweep ? 1 : 0))
    bytes.append(sender.call.readable)
    bytes.append(argument: UInt64(keyCount))
    bytes.append(sharedKeys.readable)
    bytes.append(holdKeys.readable)
    bytes.append(requestKeys.readable)
    bytes.append(skuKeys.readable)
    if isSweep { bytes.append(sweepKeys.readable) }
    let first = firstDeadline(terms.clock)
    appendHeader(sender, terms.placing, swept, first?.ms ?? 0)
    bytes.append(argument: operations.readable)
    appendDeadlines(after: first?.moment)
    if isSweep { append(terms.retention, of: terms.setRetention) }
  }

  /// The earliest deadline, on both clocks; nil: nobody has one, or Redis's clock is not known yet.
  private func firstDeadline(_ clock: RedisClock) -> (moment: UInt64, ms: UInt64)? {
    guard let moment = deadlines.min(), moment < .max, let ms = clock.ms(at: moment) else {
      return nil
    }
    return (moment, ms)
  }

  /// `<I2` for each operation: how many milliseconds its deadline is after the first.
  private mutating func appendDeadlines(after first: UInt64?) {
    bytes.begin(argument: first == nil ? 0 : 2 * count)
    if let first {
      for deadline in deadlines {
        bytes.append(integer: UInt16(clamping: (deadline - first) / 1_000_000))
      }
    }
    bytes.endLine()
  }

  /// `<I8I8I8I8I8` and a key, as the script reads it.
  private mutating func append(_ retention: Retention, of set: Retention) {
    let letters = keys.deadEventIDs
    bytes.begin(argument: 5 * 8 + letters.utf8.count)
    bytes.append(integer: retention.confirmedMs)
    bytes.append(integer: retention.releasedMs)
    bytes.append(integer: retention.settleMs)
    bytes.append(integer: set.confirmedMs)
    bytes.append(integer: set.releasedMs)
    bytes.append(letters)
    bytes.endLine()
  }

  /// `<I4I4I4I4BI8`, as the script reads it.
  private static let figuresBytes = 4 * 4 + 1 + 8

  private mutating func appendHeader(
    _ sender: Sender, _ placing: Store.Placing, _ swept: [IndexMember], _ firstDeadlineMs: UInt64
  ) {
    bytes.begin(argument: Self.figuresBytes)
    let figuresAt = bytes.count
    bytes.append(integer: UInt32(holds))
    bytes.append(integer: UInt32(requests))
    bytes.append(integer: UInt32(places.count))
    bytes.append(integer: UInt32(swept.count))
    bytes.append(integer: placing.rawValue)
    bytes.append(integer: firstDeadlineMs)
    assert(bytes.count - figuresAt == Self.figuresBytes)
    bytes.endLine()
    bytes.append(argument: sender.sourceHead.readable, sender.sequence)
    bytes.append(sender.writerArgument.readable)
    bytes.append(argument: sender.sequence)
    bytes.append(sender.openingArgument.readable)
    bytes.append(argument: sender.answered)
    for member in swept { member.append(to: &bytes) }
  }
}
