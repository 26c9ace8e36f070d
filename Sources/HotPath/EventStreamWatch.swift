// Looking at the stream as a whole: who has read how far, how much there is, and what can go.
extension EventStream {
  /// Every group of the stream.
  public func groups() throws(StreamFault) -> [StreamGroup] {
    let groups = try session.call(StreamGroup.question(about: keys)) { StreamGroup.all(in: $0) }
    guard let groups else { throw .unreadable("XINFO GROUPS") }
    return groups
  }

  /// The newest entry that this group was handed; nil: none was, or there is no group.
  public func newestDelivered() throws(StreamFault) -> StreamID? {
    guard try session.call(["EXISTS", keys.events], { $0.integer == 1 }) else { return nil }
    let last = try groups().first { $0.name == group }?.lastDelivered
    return last == StreamID(ms: 0, sequence: 0) ? nil : last
  }

  /// Who of this group has asked for entries of late.
  public func readers(withinMs: UInt64) throws(StreamFault) -> [String] {
    guard try newestDelivered() != nil else { return [] }
    return try session.call(["XINFO", "CONSUMERS", keys.events, group]) { reply in
      reply.elements.compactMap { consumer -> String? in
        var values: [String: RedisReply] = [:]
        for place in stride(from: 0, to: consumer.count - 1, by: 2) {
          values[consumer[place].text ?? ""] = consumer[place + 1]
        }
        guard let idle = values["idle"]?.integer, idle < withinMs else { return nil }
        return values["name"]?.text
      }
    }
  }

  /// Puts Redis's own count of what this group has not been handed yet right, where it is wrong and
  /// nothing waits.  Which entry was the last to be handed out stays as it is.
  /// - Returns: whether it was wrong.
  @discardableResult
  public func recount() throws(StreamFault) -> Bool {
    let text = String(decoding: PackageResources.recount_lua, as: UTF8.self)
    return try session.call(["EVAL", text, "1", keys.events, group]) { $0.integer == 1 }
  }

  /// The oldest entry that was handed out to a group and not acknowledged; nil when there is none.
  public func oldestPending(of group: String) throws(StreamFault) -> StreamID? {
    try session.call(["XPENDING", keys.events, group]) { reply in
      reply.count < 2 ? nil : reply[1].text.flatMap { StreamID($0) }
    }
  }

  /// The first entry that a group may not have done with: all below is acknowledged.
  /// - Parameter group: as it was before this question; what is handed out since lies above.
  public func floor(of group: StreamGroup) throws(StreamFault) -> StreamID {
    let next = group.lastDelivered.next
    guard group.pending > 0, let oldest = try oldestPending(of: group.name) else { return next }
    return min(next, oldest)
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
      reply.text.flatMap { RedisMemory(RedisInfo($0))?.use }
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

  /// The oldest entry after an id, or the oldest of all; nil when there is none.
  public func oldest(after id: StreamID? = nil) throws(StreamFault) -> StreamID? {
    let start = id.map { "(\($0)" } ?? "-"
    return try session.call(["XRANGE", keys.events, start, "+", "COUNT", "1"]) { reply in
      reply.count == 0 ? nil : reply[0][0].text.flatMap { StreamID($0) }
    }
  }

  /// How many entries the stream has, and how many dead letters there are; nil when somebody has put
  /// something else in their place.
  public func lengths() throws(StreamFault) -> (events: Int, dead: Int?) {
    let events = try session.call(["XLEN", keys.events]) { Int($0.integer) }
    do {
      return (events, try session.call(["XLEN", keys.deadEvents]) { Int($0.integer) })
    } catch .refused {
      return (events, nil)
    }
  }

  /// What the audit has said last, by name; empty: none has yet.
  public func auditFigures() throws(StreamFault) -> [String: String] {
    try session.call(["HGETALL", keys.auditFigures]) { reply in
      var figures: [String: String] = [:]
      for place in stride(from: 0, to: reply.count - 1, by: 2) {
        figures[reply[place].text ?? ""] = reply[place + 1].text
      }
      return figures
    }
  }

  // MARK: who goes by which name

  /// Writes a word beside the name of a worker.
  /// - Returns: the word that stood there; nil: none.
  public func sign(
    _ name: String, with word: String, nowMs: UInt64
  ) throws(StreamFault) -> String? {
    let field = Self.nameField + name
    let found = try session.call(["HGET", keys.workerFigures, field]) { reply in
      reply.text.flatMap { $0.split(separator: " ").first.map(String.init) }
    }
    try session.say([(field, "\(word) \(nowMs)")], in: keys.workerFigures)
    return found
  }

  /// Takes a name away, if its word is still the one.
  public func takeAway(_ name: String, with word: String) throws(StreamFault) {
    let field = Self.nameField + name
    let isOwn = try session.call(["HGET", keys.workerFigures, field]) { reply in
      reply.text?.hasPrefix(word + " ") == true
    }
    if isOwn { try session.call(["HDEL", keys.workerFigures, field]) { _ in } }
  }

  /// Takes the names away that nobody has signed since then.
  public func takeAwayNames(before ms: UInt64) throws(StreamFault) {
    let old = try session.call(["HGETALL", keys.workerFigures]) { reply in
      stride(from: 0, to: reply.count - 1, by: 2).compactMap { place -> String? in
        guard let field = reply[place].text, field.hasPrefix(Self.nameField),
          let at = reply[place + 1].text?.split(separator: " ").last.flatMap({ UInt64($0) }),
          at < ms
        else { return nil }
        return field
      }
    }
    if !old.isEmpty { try session.call(["HDEL", keys.workerFigures] + old) { _ in } }
  }

  private static let nameField = "name:"

  /// Writes the figures of the worker where everybody can read them.
  public func publish(_ figures: [(name: String, value: String)]) throws(StreamFault) {
    try session.say(figures, in: keys.workerFigures)
  }
}

extension RedisSession {
  /// Sets fields of a hash, also while Redis is over its memory limit.
  func say(_ figures: [(name: String, value: String)], in key: String) throws(StreamFault) {
    let text = String(decoding: PackageResources.say_lua, as: UTF8.self)
    try call(["EVAL", text, "1", key] + figures.flatMap { [$0.name, $0.value] }) { _ in }
  }
}
