public import Inventory
import Wire

/// Redis as the audit reads it: snapshots with their place in the stream, the keys in turn, and how
/// far the books are.  Every call waits for Redis's reply.
///
/// After `StreamFault.lost` the connection is of no more use: make another.  One thread at a time.
public final class StoreView {
  /// SKUs that one script reads: it holds Redis for less than a millisecond.
  public static let skusMax = 128
  /// Holds that one script reads: it holds Redis for less than a millisecond.
  public static let holdsMax = 256
  /// Keys that one SCAN looks at, about.
  public static let scanMax = 512

  /// The figures of a SKU, as they stand there: not checked.
  public struct StockSnapshot: Equatable, Sendable {
    /// Which.
    public let sku: SKU
    /// What `stock:<sku>` shows; nil: no string is there.
    public let shown: String?
    /// nil: the service does not know this SKU, or somebody has broken its hash.
    public let figures: Figures?
  }

  /// The record of a hold.
  public enum Record: Sendable {
    /// Redis does not know the hold.
    case absent
    /// Something that this version did not write.
    case unreadable
    /// A hold under that key, of whatever generation.
    case hold(Hold)
    /// One that has ended and is remembered in short.
    case ended(EndedHold)
  }

  let stream: EventStream
  let session: RedisSession
  let keys: KeySpace
  let arena = Arena()
  private let letters: DeadLetters

  /// Connects.  Blocks for two seconds at most.
  public init(at address: RedisAddress, keys: KeySpace = KeySpace()) throws(StreamFault) {
    stream = try EventStream(at: address, keys: keys, consumer: "audit")
    session = stream.session
    letters = DeadLetters(through: session, keys: keys)
    self.keys = keys
  }

  /// The figures of SKUs at one moment, at most `skusMax`.
  /// - Returns: the id of the last entry of that moment, and the figures in order.
  public func stock(
    of skus: [SKU]
  ) throws(StreamFault) -> (at: StreamID, stock: [StockSnapshot]) {
    try read(skus, []) { at, reply in
      let stock = skus.enumerated().map { place, sku in
        let fields = (0..<6).map { reply[1 + 6 * place + $0].text }
        let units = fields[1...].map { $0.flatMap { Self.units($0) } }
        var figures: Figures?
        if case let (available?, held?, sold?, supplied?, version?) = (
          units[0], units[1], units[2], units[3], units[4]
        ) {
          figures = Figures(
            available: available, held: held, sold: sold, supplied: supplied, version: version)
        }
        return StockSnapshot(sku: sku, shown: fields[0], figures: figures)
      }
      return (at, stock)
    }
  }

  /// The records of holds at one moment, at most `holdsMax`.
  /// - Returns: the id of the last entry of that moment, and the records in order.
  public func holds(
    _ holds: [HoldKey]
  ) throws(StreamFault) -> (at: StreamID, records: [Record]) {
    try read([], holds) { at, reply in
      let records = (0..<holds.count).map { place -> Record in
        let record = reply[1 + place]
        guard record.text != nil else { return .absent }
        defer { arena.reset() }
        switch try? HoldRecord(record.bytes, of: holds[place], arena: arena) {
        case .whole(let hold) where hold.id.key == holds[place]: return .hold(hold)
        case .ended(let ended): return .ended(ended)
        case .whole, nil: return .unreadable
        }
      }
      return (at, records)
    }
  }

  /// The keys of some holds and SKUs, wherever Redis's table goes on.
  /// - Parameter cursor: "0" begins.
  /// - Returns: where to go on; "0": all keys that were there throughout have been seen.
  public func scan(
    from cursor: String
  ) throws(StreamFault) -> (next: String, holds: [HoldKey], skus: [SKU]) {
    let found = try session.call(["SCAN", cursor, "COUNT", "\(Self.scanMax)"]) {
      reply -> (next: String, holds: [HoldKey], skus: [SKU])? in
      guard reply.count == 2, let next = reply[0].text else { return nil }
      var (holds, skus): ([HoldKey], [SKU]) = ([], [])
      let skuPrefix = keys.prefix + "sku:"
      for element in reply[1].elements {
        let key = String(decoding: element.bytes, as: UTF8.self)
        if key.hasPrefix(keys.holdPrefix) {
          if let hold = HoldKey(key.dropFirst(keys.holdPrefix.count)) { holds.append(hold) }
        } else if key.hasPrefix(skuPrefix) {
          if let sku = SKU(String(key.dropFirst(skuPrefix.count))) { skus.append(sku) }
        }
      }
      return (next, holds, skus)
    }
    guard let found else { throw .unreadable("SCAN") }
    return found
  }

  /// Why this Redis is not sold from, and so not to be compared: what it has forgotten is brought back
  /// by a rebuild, not by corrections.  nil: it is open.
  public func closed() throws(StreamFault) -> String? {
    let redis = try stream.identity()
    return try stream.fence().refusal(runID: redis.runID, line: redis.line)
  }

  /// Which deployment this Redis belongs to; nil: it has no name.
  public func deployment() throws(StreamFault) -> String? { try stream.fence().epoch?.deployment }

  /// Up to which entry every event is in the books, or in a dead letter; nil: nobody writes books.
  ///
  /// Where the group has done with all that there is, that is the last id which the stream has given: after
  /// a rebuild the group has been handed nothing yet, and the books know it all.
  public func applied() throws(StreamFault) -> StreamID? {
    do throws(StreamFault) {
      // Before the group: what comes in between lies above.
      let newest = try stream.newestID()
      guard let group = try stream.groups().first(where: { $0.name == KeySpace.group }) else {
        return nil
      }
      let floor = try stream.floor(of: group).previous
      return group.lag == 0 && group.pending == 0 ? max(floor, newest) : floor
    } catch .refused(let text) where text.contains("no such key") {
      return StreamID(ms: 0, sequence: 0)
    }
  }

  /// The oldest dead letters.
  public func openLetters(limit: Int) throws(StreamFault) -> [DeadLetters.Record] {
    try letters.list(limit: limit)
  }

  /// Redis's clock, in milliseconds since 1970.
  public func time() throws(StreamFault) -> UInt64 { try stream.time() }

  /// Writes figures where everybody can read them.
  public func publish(_ figures: [(name: String, value: String)]) throws(StreamFault) {
    try session.say(figures, in: keys.auditFigures)
  }

  private func read<Result>(
    _ skus: [SKU], _ holds: [HoldKey], _ body: (StreamID, RedisReply) -> Result
  ) throws(StreamFault) -> Result {
    precondition(skus.count <= Self.skusMax && holds.count <= Self.holdsMax)
    let script = String(decoding: PackageResources.audit_read_lua, as: UTF8.self)
    var command = ["EVAL_RO", script, "\(1 + 2 * skus.count + holds.count)", keys.events]
    for sku in skus { command += [keys.stock(sku), keys.figures(sku)] }
    for hold in holds { command.append(keys.hold(hold)) }
    command.append("\(skus.count)")
    let count = 1 + 6 * skus.count + holds.count
    let result = try session.call(command) { reply -> Result? in
      guard reply.count == count, let at = reply[0].text.flatMap({ StreamID($0) }) else {
        return nil
      }
      return body(at, reply)
    }
    guard let result else { throw .unreadable("EVAL_RO") }
    return result
  }

  /// As the batch script reads a figure.
  private static func units(_ text: String) -> UInt64? {
    guard (1...13).contains(text.utf8.count),
      text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let units = UInt64(text), units <= Limits.stockUnitsMax
    else { return nil }
    return units
  }
}
