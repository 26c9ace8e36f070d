import Wire

/// The event stream as its consumer group reads it.  Every call waits for Redis's reply.
///
/// How it works.  What is read belongs to `consumer` until it is acknowledged; Redis keeps it in the
/// group's pending list meanwhile.  A consumer that comes back reads its own pending entries first;
/// those of one that never comes back are claimed by another.
///
/// After `StreamFault.lost` the connection is of no more use: make another.  One thread at a time.
public final class EventStream {
  private let session: RedisSession
  private let keys: KeySpace
  private let group: String
  private let consumer: String

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

  // MARK: reading

  /// What was handed out to this consumer and not acknowledged, oldest first.
  ///
  /// An entry that was deleted from the stream meanwhile comes back without events.
  public func readPending(entriesMax: Int) throws(StreamFault) -> [StreamEntry] {
    try read(entriesMax, ["STREAMS", keys.events, "0"])
  }

  /// New entries; none when there are none within `blockMs`.
  public func readNew(entriesMax: Int, blockMs: Int) throws(StreamFault) -> [StreamEntry] {
    precondition(blockMs > 0 && blockMs < RedisSession.replyMsMax, "0 would block for ever")
    return try read(entriesMax, ["BLOCK", "\(blockMs)", "STREAMS", keys.events, ">"])
  }

  private func read(
    _ entriesMax: Int, _ rest: [String]
  ) throws(StreamFault) -> [StreamEntry] {
    let command = ["XREADGROUP", "GROUP", group, consumer, "COUNT", "\(entriesMax)"] + rest
    let entries = try session.call(command) { reply -> [StreamEntry]? in
      if reply.count == 0 { return [] }
      guard reply[0].count == 2 else { return nil }
      return decode(reply[0][1])
    }
    guard let entries else { throw .unreadable("XREADGROUP") }
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
    command.append("*\(8 + 5 * letters.count)\r\n")
    command.append(argument: "EVAL")
    text.withUnsafeBytes { command.append(argument: $0) }
    for argument in ["3", keys.events, keys.deadEvents, keys.deadEventIDs, group] {
      command.append(argument: argument)
    }
    command.append(argument: entry.description)
    for letter in letters {
      for argument in [letter.id, "\(letter.index)", letter.type, letter.reason] {
        command.append(argument: argument)
      }
      letter.bytes.withUnsafeBytes { command.append(argument: $0) }
    }
    try session.call(command) { _ in }
  }

  // MARK: trimming

  /// Every group of the stream.
  public func groups() throws(StreamFault) -> [StreamGroup] {
    let groups = try session.call(["XINFO", "GROUPS", keys.events]) { reply -> [StreamGroup]? in
      var groups: [StreamGroup] = []
      for fields in reply.elements {
        var values: [String: RedisReply] = [:]
        for place in stride(from: 0, to: fields.count - 1, by: 2) {
          values[fields[place].text ?? ""] = fields[place + 1]
        }
        guard let name = values["name"]?.text, let pending = values["pending"]?.integer,
          let last = values["last-delivered-id"]?.text.flatMap({ StreamID($0) })
        else { return nil }
        groups.append(StreamGroup(name: name, pending: Int(pending), lastDelivered: last))
      }
      return groups
    }
    guard let groups else { throw .unreadable("XINFO GROUPS") }
    return groups
  }

  /// The oldest entry that was handed out to a group and not acknowledged; nil when there is none.
  public func oldestPending(of group: String) throws(StreamFault) -> StreamID? {
    try session.call(["XPENDING", keys.events, group]) { reply in
      reply.count < 2 ? nil : reply[1].text.flatMap { StreamID($0) }
    }
  }

  /// Redis's clock, in milliseconds since 1970.
  public func time() throws(StreamFault) -> UInt64 {
    let time = try session.call(["TIME"]) { reply -> UInt64? in
      guard reply.count == 2, let seconds = reply[0].text.flatMap({ UInt64($0) }),
        let microseconds = reply[1].text.flatMap({ UInt64($0) })
      else { return nil }
      return seconds * 1000 + microseconds / 1000
    }
    guard let time else { throw .unreadable("TIME") }
    return time
  }

  /// How much of Redis's memory limit is in use, 0 to 1 and beyond; 0 when it has none.
  public func memoryUse() throws(StreamFault) -> Double {
    let use = try session.call(["INFO", "memory"]) { reply in
      reply.text.flatMap { RedisMemory(info: $0)?.use }
    }
    guard let use else { throw .unreadable("INFO") }
    return use
  }

  /// Removes entries before `id`, whole nodes of Redis's tree at a time, so that a few may stay.
  /// - Parameter entriesMax: about how many in one call, since Redis does nothing else meanwhile.
  /// - Returns: how many were removed.
  public func trim(before id: StreamID, entriesMax: Int) throws(StreamFault) -> Int {
    try session.call(
      ["XTRIM", keys.events, "MINID", "~", "\(id)", "LIMIT", "\(entriesMax)"]
    ) { Int($0.integer) }
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
