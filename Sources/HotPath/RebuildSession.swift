public import Inventory
import Wire

/// Writes a Redis anew from the books, or compares it with them.  Every call waits for Redis's reply;
/// what a page of holds needs is a handful of commands.
///
/// The fence must be closed while anything is written.  One thread at a time.
public final class RebuildSession {
  /// Holds that one command names.
  public static let pageHolds = 500
  /// Bytes of Redis's memory that a hold takes which this has written, about.
  public static let holdBytes = 350
  /// Keys that one SCAN looks at.
  private static let scanKeys = 1_000

  /// How what the books say compares with what Redis holds.
  public struct Tally: Sendable, Equatable {
    /// Redis says the same.
    public var same = 0
    /// Redis says something else.
    public var different = 0
    /// Redis does not know it.
    public var missing = 0

    /// Nothing was compared yet.
    public init() {}

    mutating func count<Value>(_ found: Value?, _ isSame: (Value) -> Bool) {
      if let found { if isSame(found) { same += 1 } else { different += 1 } } else { missing += 1 }
    }
  }

  private let session: RedisSession
  private let keys: KeySpace
  private let arena = Arena()
  private var record = ByteBuffer()

  /// Connects.  Blocks for two seconds at most.
  public init(at address: RedisAddress, keys: KeySpace = KeySpace()) throws(StreamFault) {
    session = try RedisSession(to: address)
    self.keys = keys
  }

  // MARK: comparing

  /// Compares a page of holds.
  public func compare(_ holds: [Hold], _ tally: inout Tally) throws(StreamFault) {
    guard !holds.isEmpty else { return }
    // nil: no record; .some(nil): one that cannot be read.
    let found = try session.call(["MGET"] + holds.map { keys.hold($0.id.key) }) { reply in
      zip(reply.elements, holds).map { value, hold -> HoldRecord?? in
        guard value.text != nil else { return nil }
        return .some(try? HoldRecord(value.bytes, of: hold.id.key, arena: arena))
      }
    }
    arena.reset()
    for (hold, found) in zip(holds, found) {
      // The key may have made another hold since.
      tally.count(found) { $0.map { $0.agrees(with: hold) || $0.isLater(than: hold) } ?? false }
    }
  }

  /// Compares the figures of a SKU.
  public func compare(
    _ sku: SKU, _ figures: Figures, _ tally: inout Tally
  ) throws(StreamFault) {
    let wanted = Self.fields(of: figures)
    let names = wanted.map(\.name) + ["retired"]
    let found = try session.call(["HMGET", keys.figures(sku)] + names) { reply in
      reply.elements.map(\.text)
    }
    tally.count(found.contains { $0 != nil } ? found : nil) {
      $0 == wanted.map(\.value) + [figures.isRetired ? "1" : nil]
    }
  }

  /// How many records of holds there are.
  public func countHolds() throws(StreamFault) -> Int {
    var count = 0
    try scan(keys.holdPrefix + "H-*") { (names) throws(StreamFault) in count += names.count }
    return count
  }

  /// Redis's memory limit in bytes; 0: none.
  public func memoryLimit() throws(StreamFault) -> Int {
    try session.call(["INFO", "memory"]) {
      RedisMemory(RedisInfo($0.text ?? "")).map { Int($0.limitBytes) } ?? 0
    }
  }

  /// How many letters lie in the dead letters; 0 where there are none.
  public func countDeadLetters() throws(StreamFault) -> Int {
    try session.call(["XLEN", keys.deadEvents]) { Int($0.integer) }
  }

  // MARK: writing

  /// Removes everything that the script has written, but the stream, the dead letters, and plain
  /// stock that the service has never seen.
  public func wipe() throws(StreamFault) {
    let indexes = [keys.expiry, keys.confirmed, keys.released, keys.endedCounts]
    try session.call(["UNLINK", keys.skus] + indexes) { _ in }
    for pattern in [keys.holdPrefix + "H-*", keys.prefix + "request:*"] {
      try scan(pattern) { (names) throws(StreamFault) in
        try session.call(["UNLINK"] + names) { _ in }
      }
    }
    let figures = keys.prefix + "sku:"
    try scan(figures + "*") { (names) throws(StreamFault) in
      let stock = names.map { keys.prefix + "stock:" + $0.dropFirst(figures.count) }
      try session.call(["UNLINK"] + names + stock) { _ in }
    }
  }

  /// Writes down that confirmed holds which ended before may be unknown here.
  /// - Parameter time: in milliseconds since 1970.
  public func noteForgotten(before time: UInt64) throws(StreamFault) {
    try session.call(["HSET", keys.endedCounts, "forgotten", "\(time)"]) { _ in }
  }

  /// Up to when confirmed holds may have been forgotten here, in milliseconds since 1970; 0: none has.
  public func forgottenBefore() throws(StreamFault) -> UInt64 {
    // One that ended at that very time was.
    try session.call(["HGET", keys.endedCounts, "forgotten"]) {
      $0.text.flatMap { UInt64($0) }.map { $0 + 1 } ?? 0
    }
  }

  /// Writes the figures of a SKU.
  public func write(_ sku: SKU, _ figures: Figures) throws(StreamFault) {
    try session.call(["SET", keys.stock(sku), "\(figures.available)"]) { _ in }
    let fields = Self.fields(of: figures) + (figures.isRetired ? [("retired", "1")] : [])
    try session.call(
      ["HSET", keys.figures(sku)] + fields.flatMap { [$0.name, $0.value] }
    ) { _ in }
    try session.call(["ZADD", keys.skus, "0", sku.text]) { _ in }
  }

  /// What the hash of a SKU always has.
  private static func fields(of figures: Figures) -> [(name: String, value: String)] {
    [
      ("available", "\(figures.available)"), ("held", "\(figures.held)"),
      ("sold", "\(figures.sold)"), ("supplied", "\(figures.supplied)"),
      ("version", "\(figures.version)"),
    ]
  }

  /// Writes a page of holds, each with its place in the index of what falls due, or of what has ended.
  public func write(_ holds: [Hold], nowMs: UInt64) throws(StreamFault) {
    guard !holds.isEmpty else { return }
    var command = ByteBuffer(capacity: holds.count * 320)
    command.begin(command: 1 + 2 * holds.count)
    command.append(argument: "MSET")
    for hold in holds {
      command.append(key: keys.holdArgument, hold.id.key)
      hold.appendStoredRecord(to: &record)
      command.append(argument: record.readable)
      record.consume(record.count)
      arena.reset()
    }
    try session.call(command) { _ in }
    let active = holds.filter { $0.status == .active }
    try index(active, in: .expiry) { min($0.expiresAt, nowMs + Sweep.visitMs) }
    try index(holds.filter { $0.status == .confirmed }, in: .confirmed, \.changedAt)
    let released = holds.filter { $0.status != .active && $0.status != .confirmed }
    try index(released, in: .released, \.changedAt)
  }

  private func index(
    _ holds: [Hold], in index: IndexMember.Index, _ score: (Hold) -> UInt64
  ) throws(StreamFault) {
    guard !holds.isEmpty else { return }
    try session.call(["ZADD", index.key(in: keys)] + Self.members(holds, score)) { _ in }
    guard index != .expiry else { return }
    try session.call(["HINCRBY", keys.endedCounts, "\(index)", "\(holds.count)"]) { _ in }
  }

  /// Score and member, and again.
  private static func members(_ holds: [Hold], _ dueAt: (Hold) -> UInt64) -> [String] {
    var arguments: [String] = []
    var open: (due: UInt64, created: UInt64, names: [String])?
    func close() {
      guard let open else { return }
      arguments += ["\(open.due)", "\(open.created) " + open.names.joined(separator: " ")]
    }
    for hold in holds {
      let due = dueAt(hold)
      if let member = open, member.due == due, member.created == hold.createdAt,
        member.names.count < Sweep.holdsMax
      {
        open?.names.append("\(hold.id.key)")
      } else {
        close()
        open = (due, hold.createdAt, ["\(hold.id.key)"])
      }
    }
    close()
    return arguments
  }

  /// Remembers the request of a change of stock for as long as the script would.
  public func write(_ order: StockOrder, forMs: UInt64) throws(StreamFault) {
    var command = ByteBuffer()
    command.begin(command: 5)
    command.append(argument: "SET")
    command.append(argument: keys.request(order.requestID))
    var print = ByteBuffer()
    print.append(integer: order.fingerprint)
    command.append(argument: print.readable)
    command.append(argument: "PX")
    command.append(argument: "\(forMs)")
    try session.call(command) { _ in }
  }

  /// Makes the stream go on above every id that the books know, and gives the fence its new epoch;
  /// what was lost is forgotten, and so are the writers.
  /// - Parameter nowMs: no time that the script says will be earlier, in milliseconds since 1970.
  public func finish(_ epoch: Epoch, after newest: StreamID?, nowMs: UInt64) throws(StreamFault) {
    if let newest {
      do {
        try session.call(["XGROUP", "CREATE", keys.events, KeySpace.group, "0", "MKSTREAM"]) { _ in
        }
      } catch .refused(let text) where text.hasPrefix("BUSYGROUP") {}
      if try newestID(in: session, keys) < newest.next {
        try session.call(["XSETID", keys.events, "\(newest.next)"]) { _ in }
      }
    }
    try session.call(["MULTI"]) { _ in }
    try session.call(["DEL", keys.fence]) { _ in }
    try session.call(["HSET", keys.fence, "epoch", "\(epoch)", "now", "\(nowMs)"]) { _ in }
    try session.call(["EXEC"]) { _ in }
  }

  private func scan(
    _ pattern: String, _ body: ([String]) throws(StreamFault) -> Void
  ) throws(StreamFault) {
    var cursor = "0"
    repeat {
      let page = try session.call(
        ["SCAN", cursor, "MATCH", pattern, "COUNT", "\(Self.scanKeys)"]
      ) { reply -> (String, [String])? in
        guard reply.count == 2, let next = reply[0].text else { return nil }
        return (next, reply[1].elements.compactMap(\.text))
      }
      guard let page else { throw .unreadable("SCAN") }
      cursor = page.0
      if !page.1.isEmpty { try body(page.1) }
    } while cursor != "0"
  }
}
