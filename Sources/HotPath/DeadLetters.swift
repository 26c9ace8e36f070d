/// The dead letters of a partition: to look at, to replay once their cause is gone, or to discard.
/// Every call waits for Redis's reply.
///
/// After `StreamFault.lost` the connection is of no more use: make another.  One thread at a time.
public final class DeadLetters {
  /// A letter as it lies there.
  public struct Record: Sendable {
    /// Where in `inventory.dead` it lies; its time is when it was written down.
    public let place: StreamID
    /// The event, and why it is there.
    public let letter: DeadLetter
    /// The entry that held the event first.
    public let entry: String
  }

  private let session: RedisSession
  private let keys: KeySpace

  /// Connects.  Blocks for two seconds at most.
  public init(at address: RedisAddress, keys: KeySpace = KeySpace()) throws(StreamFault) {
    session = try RedisSession(to: address)
    self.keys = keys
  }

  init(through session: RedisSession, keys: KeySpace) {
    (self.session, self.keys) = (session, keys)
  }

  /// How many there are.
  public func count() throws(StreamFault) -> Int {
    try session.call(["XLEN", keys.deadEvents]) { Int($0.integer) }
  }

  /// Some of them, oldest first.
  /// - Parameters:
  ///   - place: goes on after this one; nil: from the first.
  ///   - limit: at most so many.
  public func list(after place: StreamID? = nil, limit: Int) throws(StreamFault) -> [Record] {
    try page(after: place, limit: limit).records
  }

  /// Some of what lies there.
  public struct Page: Sendable {
    /// The letters among it, oldest first.
    public let records: [Record]
    /// The last place that was looked at, letter or not; nil: there was nothing.
    public let last: StreamID?
  }

  /// The next `limit` places, after one or from the first.
  public func page(after place: StreamID? = nil, limit: Int) throws(StreamFault) -> Page {
    try range(place.map { "(\($0)" } ?? "-", "+", limit)
  }

  /// The place of the newest; nil: there are none.
  public func newest() throws(StreamFault) -> StreamID? {
    try session.call(["XREVRANGE", keys.deadEvents, "+", "-", "COUNT", "1"]) { reply in
      reply.count == 0 ? nil : reply[0][0].text.flatMap { StreamID($0) }
    }
  }

  /// The letter of one event; nil when there is none.
  public func show(_ event: String) throws(StreamFault) -> Record? {
    let place = try session.call(["HGET", keys.deadEventIDs, event]) { $0.text }
    guard let place else { return nil }
    return try range(place, place, 1).records.first
  }

  /// Writes an event back into the stream, and takes its letter away.  Should it fail again, it comes
  /// back as a new letter.
  /// - Returns: the new entry's id; nil when there is no such letter.
  public func replay(_ event: String) throws(StreamFault) -> StreamID? {
    try settle(event, "replay")
  }

  /// Takes a letter away, for good: its event will never be applied.
  /// - Returns: whether there was one.
  public func discard(_ event: String) throws(StreamFault) -> Bool {
    try settle(event, "discard") != nil
  }

  private func settle(_ event: String, _ wish: String) throws(StreamFault) -> StreamID? {
    let text = String(decoding: PackageResources.settle_lua, as: UTF8.self)
    return try session.call(
      ["EVAL", text, "3", keys.events, keys.deadEvents, keys.deadEventIDs, event, wish]
    ) { $0.text.flatMap { StreamID($0) } }
  }

  private func range(
    _ start: String, _ end: String, _ limit: Int
  ) throws(StreamFault) -> Page {
    let command = ["XRANGE", keys.deadEvents, start, end, "COUNT", "\(limit)"]
    return try session.call(command) { reply in
      let last = reply.elements.last.flatMap { $0.count > 0 ? $0[0].text : nil }
      return Page(
        records: reply.elements.compactMap { Record($0) }, last: last.flatMap { StreamID($0) })
    }
  }
}

extension DeadLetters.Record {
  /// nil: somebody else wrote it.
  fileprivate init?(_ reply: RedisReply) {
    guard reply.count == 2, let place = reply[0].text.flatMap({ StreamID($0) }) else { return nil }
    var fields: [String: RedisReply] = [:]
    for index in stride(from: 0, to: reply[1].count - 1, by: 2) {
      fields[reply[1][index].text ?? ""] = reply[1][index + 1]
    }
    func text(_ name: String) -> String { fields[name]?.text ?? "" }
    guard let bytes = fields["bytes"], fields["event"] != nil else { return nil }
    self.place = place
    entry = text("entry")
    letter = DeadLetter(
      id: text("event"), index: Int(text("index")) ?? 0, type: text("type"),
      bytes: Array(bytes.bytes), reason: text("reason"), attempts: Int(text("attempts")) ?? 1,
      firstMs: UInt64(text("first")) ?? place.ms, lastMs: UInt64(text("last")) ?? place.ms)
  }
}
