import Wire

/// The event stream as its consumer group reads it.  Every call waits for Redis's reply.
///
/// How it works.  What is read belongs to `consumer` until it is acknowledged; Redis keeps it in the
/// group's pending list meanwhile.  A consumer that comes back reads its own pending entries first;
/// those of one that never comes back are claimed by another.
///
/// After `StreamFault.lost` the connection is of no more use: make another.  One thread at a time.
public final class EventStream {
  let session: RedisSession
  let keys: KeySpace
  let group: String
  private let consumer: String
  /// Names the process of Redis at the other end, which a connection does not outlive; nil: not asked yet.
  var process: String?
  /// How large an entry was of late, in bytes.
  private var entryBytes = 16 * 1024

  /// Connects.  Blocks for two seconds at most.
  /// - Parameters:
  ///   - consumer: who reads; the same name after a restart finds its own pending entries.
  public init(
    at address: RedisAddress, keys: KeySpace = KeySpace(), group: String = KeySpace.group,
    consumer: String
  ) throws(StreamFault) {
    session = try RedisSession(to: address)
    self.keys = keys
    self.group = group
    self.consumer = consumer
  }

  /// Makes the group, and the stream if need be, so that it reads from the first entry on.  A group
  /// that exists stays as it is.
  public func makeGroup() throws(StreamFault) {
    do {
      try session.call(["XGROUP", "CREATE", keys.events, group, "0", "MKSTREAM"]) { _ in }
    } catch .refused(let text) where text.hasPrefix("BUSYGROUP") {}
  }

  /// Leaves the group, unless something that was handed out is not acknowledged: then the name stays,
  /// for whoever comes back under it.
  /// - Returns: whether the name is gone.
  public func leave() throws(StreamFault) -> Bool {
    let text = String(decoding: PackageResources.leave_lua, as: UTF8.self)
    return try session.call(["EVAL", text, "1", keys.events, group, consumer]) { $0.integer == 1 }
  }

  // MARK: reading

  /// Entries that one command may bring, before their size is known: each may hold 128 KiB.
  private static let commandEntriesMax = 64
  /// Entries of one read, however small they are.
  public static let readEntriesMax = 8192

  /// What was handed out to this consumer and not acknowledged, oldest first, about `bytesMax` of it.
  ///
  /// An entry that was deleted from the stream meanwhile comes back without events.
  public func readPending(
    after start: StreamID? = nil, bytesMax: Int
  ) throws(StreamFault) -> [StreamEntry] {
    try read(bytesMax, Self.readEntriesMax) { last in
      ["STREAMS", keys.events, (last ?? start)?.description ?? "0"]
    }
  }

  /// New entries, about `bytesMax` of them; none when there are none within `blockMs`.
  /// - Parameter entriesMax: at most so many, however small they are.
  public func readNew(
    bytesMax: Int = .max, entriesMax: Int = readEntriesMax, blockMs: Int
  ) throws(StreamFault) -> [StreamEntry] {
    precondition(blockMs > 0 && blockMs < RedisSession.replyMsMax, "0 would block for ever")
    return try read(bytesMax, entriesMax) { last in
      (last == nil ? ["BLOCK", "\(blockMs)"] : []) + ["STREAMS", keys.events, ">"]
    }
  }

  /// Asks for as many entries as should fit, and again until `bytesMax` are there or no more are.
  /// - Parameter rest: the end of the command, for what follows the last entry so far.
  private func read(
    _ bytesMax: Int, _ entriesMax: Int, _ rest: (StreamID?) -> [String]
  ) throws(StreamFault) -> [StreamEntry] {
    var entries: [StreamEntry] = []
    var bytes = 0
    while bytes < bytesMax, entries.count < entriesMax {
      let fitting = max((bytesMax - bytes) / entryBytes, 1)
      let count = min(fitting, Self.commandEntriesMax, entriesMax - entries.count)
      let command = ["XREADGROUP", "GROUP", group, consumer, "COUNT", "\(count)"]
      let more = try session.call(command + rest(entries.last?.id)) { reply -> [StreamEntry]? in
        if reply.count == 0 { return [] }
        guard reply[0].count == 2 else { return nil }
        return decode(reply[0][1])
      }
      guard let more else { throw .unreadable("XREADGROUP") }
      entries += more
      let brought = more.reduce(0) { $0 + $1.byteCount }
      bytes += brought
      if !more.isEmpty { entryBytes = max(brought / more.count, 1) }
      if more.count < count { break }
    }
    return entries
  }

  /// Takes over entries that another consumer has not acknowledged for `idleMs`.
  /// - Returns: the entries, deleted ones among them, and where to go on; nil when all of them have
  ///   been looked at.
  public func claim(
    idleMs: UInt64, from start: StreamID, entriesMax: Int
  ) throws(StreamFault) -> (entries: [StreamEntry], next: StreamID?) {
    let command = [
      "XAUTOCLAIM", keys.events, group, consumer, "\(idleMs)", "\(start)", "COUNT", "\(entriesMax)",
    ]
    let claimed = try session.call(command) { reply -> (entries: [StreamEntry], next: StreamID)? in
      guard reply.count >= 2, let next = reply[0].text.flatMap({ StreamID($0) }),
        let entries = decode(reply[1])
      else { return nil }
      let deleted = reply.count > 2 ? reply[2].elements : []
      return (
        entries
          + deleted.compactMap { $0.text.flatMap { StreamID($0) } }
          .map { StreamEntry(id: $0, source: nil, events: []) }, next
      )
    }
    guard let claimed else { throw .unreadable("XAUTOCLAIM") }
    let end = StreamID(ms: 0, sequence: 0)
    return (claimed.entries, claimed.next == end ? nil : claimed.next)
  }

  // MARK: acknowledging

  /// Says that every event of these entries has been dealt with.
  public func acknowledge(_ entries: [StreamID]) throws(StreamFault) {
    guard !entries.isEmpty else { return }
    try session.call(["XACK", keys.events, group] + entries.map(\.description)) { _ in }
  }

  /// Writes down the events of an entry that cannot be applied, each once however often it comes, and
  /// acknowledges the entry, in one step.
  public func bury(_ letters: [DeadLetter], of entry: StreamID) throws(StreamFault) {
    let text: [UInt8] = PackageResources.bury_lua
    var command = ByteBuffer(capacity: 4096)
    command.append("*\(8 + 8 * letters.count)\r\n")
    command.append(argument: "EVAL")
    text.withUnsafeBytes { command.append(argument: $0) }
    for argument in ["3", keys.events, keys.deadEvents, keys.deadEventIDs, group] {
      command.append(argument: argument)
    }
    command.append(argument: entry.description)
    for letter in letters {
      for argument in [
        letter.id, "\(letter.index)", letter.type, letter.reason, "\(letter.attempts)",
        "\(letter.firstMs)", "\(letter.lastMs)",
      ] {
        command.append(argument: argument)
      }
      letter.bytes.withUnsafeBytes { command.append(argument: $0) }
    }
    try session.call(command) { _ in }
  }

  // MARK: decoding

  /// nil: not a list of entries.
  private func decode(_ list: RedisReply) -> [StreamEntry]? {
    var entries: [StreamEntry] = []
    entries.reserveCapacity(list.count)
    for item in list.elements {
      guard item.count == 2, let id = item[0].text.flatMap({ StreamID($0) }) else { return nil }
      entries.append(entry(id, item[1]))
    }
    return entries
  }

  private func entry(_ id: StreamID, _ fields: RedisReply) -> StreamEntry {
    var source: String?
    var events: [StreamEntry.Pair] = []
    events.reserveCapacity(fields.count / 2)
    for place in stride(from: 0, to: fields.count - 1, by: 2) {
      let name = fields[place].text ?? ""
      if place == 0, name == "source" {
        source = fields[1].text
      } else {
        events.append(StreamEntry.Pair(type: name, bytes: Array(fields[place + 1].bytes)))
      }
    }
    return StreamEntry(id: id, source: source, events: events)
  }
}
