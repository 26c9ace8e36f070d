// What a worker asks and tells the fence of a Redis.
extension EventStream {
  /// Names the process of Redis at the other end; the same for as long as the connection lives.
  public func runID() throws(StreamFault) -> String { try identity().runID }

  /// Which process of Redis is at the other end, and what it is by now.
  public func identity() throws(StreamFault) -> RedisIdentity {
    if process == nil {
      process = try session.call(["INFO", "server"]) { RedisInfo($0.text ?? "").runID }
    }
    guard let runID = process else { throw .unreadable("INFO") }
    return try session.call(["INFO", "replication"]) { reply in
      RedisIdentity(runID: runID, RedisInfo(reply.text ?? ""))
    }
  }

  /// Why nothing is sold from this Redis now, and so no event comes from it: it refuses to write, or is not
  /// open to the sale; nil: it takes writes, and is open.
  public func closure() throws(StreamFault) -> String? {
    let redis = try identity()
    if let master = redis.master {
      return "this is a replica of \(master): the worker belongs to the master"
    }
    do {
      // Takes off what nobody has put there: refused like every write, and written nowhere.
      try session.call(["HDEL", keys.workerFigures, ""]) { _ in }
    } catch {
      guard let refusal = error.refusalToWrite else { throw error }
      return refusal
    }
    return try fence().refusal(runID: redis.runID, line: redis.line)
  }

  /// What this Redis says of itself.
  public func fence() throws(StreamFault) -> Fence {
    let text = String(decoding: PackageResources.fence_lua, as: UTF8.self)
    let found = try session.call(["EVAL_RO", text, "1", keys.fence]) { Fence($0) }
    guard let found else { throw .unreadable("EVAL_RO") }
    return found
  }

  /// The newest id that the stream has ever given; 0-0 when there is no stream.
  public func newestID() throws(StreamFault) -> StreamID {
    try HotPath.newestID(in: session, keys)
  }

  /// Whether this process of Redis may be opened, as far as its writers know.
  /// - Parameter patienceMs: for how long at least somebody must have wanted to open it.
  /// - Returns: why not; nil: it may be.
  public func mayOpen(_ opening: Opening, patienceMs: UInt64) throws(StreamFault) -> String? {
    try open(opening, patienceMs, ["ask", "0", "", "", ""])
  }

  /// Opens this process of Redis to the sale, which the books have just named as the one, unless a writer
  /// objects or has yet to be heard.
  /// - Parameter line: the line of writes that the process continues.
  /// - Returns: why not; nil: it is open.
  public func open(
    _ opening: Opening, line: String, _ lease: Lease
  ) throws(StreamFault) -> String? {
    try open(opening, 0, ["open", "\(lease.askedMs)"] + lease.fields + [line])
  }

  private func open(
    _ opening: Opening, _ patienceMs: UInt64, _ rest: [String]
  ) throws(StreamFault) -> String? {
    let text = String(decoding: PackageResources.open_lua, as: UTF8.self)
    let refusal = try session.call(
      [
        "EVAL", text, "1", keys.fence, opening.epoch.description, opening.runID,
        "\(Fence.writerGoneMs)", "\(Fence.writerForgottenMs)", "\(Fence.writerReturnMs)",
        "\(patienceMs)",
      ] + rest
    ) { $0.text ?? "" }
    return refusal.isEmpty ? nil : refusal
  }

  /// Renews the opening, which the books have just confirmed.
  public func renew(_ opening: Opening, _ lease: Lease) throws(StreamFault) {
    let text = String(decoding: PackageResources.renew_lua, as: UTF8.self)
    try session.call(
      ["EVAL", text, "1", keys.fence, opening.description] + lease.fields
    ) { _ in }
  }

  /// Whether a server has voted here of late: it sells from this process, or would.
  public func hasVoters(runID: String) throws(StreamFault) -> Bool {
    let nowMs = try time()
    return try session.call(["HGETALL", keys.fence]) { reply in
      for place in stride(from: 0, to: reply.count - 1, by: 2) {
        let vote = (reply[place + 1].text ?? "").split(separator: " ")
        guard reply[place].text?.hasPrefix("seen:") == true, vote.count == 2, vote[0] == runID,
          let at = UInt64(vote[1]), at + Fence.writerGoneMs > nowMs
        else { continue }
        return true
      }
      return false
    }
  }

  /// Gives a Redis that has no name that of a deployment.
  public func name(_ epoch: Epoch) throws(StreamFault) {
    try session.call(["HSET", keys.fence, "epoch", "\(epoch)"]) { _ in }
  }

  /// Says why nobody opens this Redis, or why it is not these books', for those who ask a server.
  public func explain(_ reason: String) throws(StreamFault) {
    try session.call(["HSET", keys.fence, "why", reason]) { _ in }
  }

  /// Closes this Redis to the sale, unless it belongs to another epoch by now.
  /// - Parameters:
  ///   - epoch: the one that was seen.
  ///   - lost: what is lost, for a person: it stays closed until it has been rebuilt; nil: a worker may
  ///     open it again.
  public func close(in epoch: Epoch?, lost: String?) throws(StreamFault) {
    let text = String(decoding: PackageResources.close_lua, as: UTF8.self)
    try session.call(
      ["EVAL", text, "1", keys.fence, epoch?.description ?? "", lost ?? ""]
    ) { _ in }
  }

  /// Takes back that something is lost: what was begun has not been done.
  public func takeBackLoss() throws(StreamFault) {
    try session.call(["HDEL", keys.fence, "lost"]) { _ in }
  }
}

/// A process of Redis, and what it is among others.
public struct RedisIdentity: Equatable, Sendable {
  /// Names the process.
  public let runID: String
  /// Names the line of writes that it continues: another one after each change of its role, though the
  /// process is the same (`master_replid`).
  public let line: String
  /// Whom it is a replica of, `host:port`; nil: it is a master.
  public let master: String?
  /// Whether a replica follows it, or did within the last hour.
  public let hasReplicas: Bool
  /// Whether it was a replica before it became a master.
  public let wasReplica: Bool

  /// How the books name it: a process in one of its times as a master.
  public var name: String { "\(runID)/\(line)" }

  /// Whether a name is this Redis's.
  /// - Parameter isOpen: it was opened, and has been a master since: only its line may have another name.
  public func isNamed(_ name: String, isOpen: Bool) -> Bool {
    name == self.name || isOpen && name.hasPrefix(runID + "/")
  }

  /// - Parameter info: its section `replication`.
  init(runID: String, _ info: RedisInfo) {
    self.runID = runID
    line = info["master_replid"].map(String.init) ?? ""
    master =
      info["role"] == "slave"
      ? "\(info["master_host"] ?? "?"):\(info["master_port"] ?? "?")" : nil
    // The backlog is made with the first replica, and given up an hour after the last.
    hasReplicas = info["connected_slaves"] != "0" || info["repl_backlog_active"] == "1"
    wasReplica = info["second_repl_offset"] != "-1"
  }
}

/// The newest id that the stream has ever given; 0-0 when there is no stream.
func newestID(in session: RedisSession, _ keys: KeySpace) throws(StreamFault) -> StreamID {
  guard try session.call(["EXISTS", keys.events], { $0.integer == 1 }) else {
    return StreamID(ms: 0, sequence: 0)
  }
  let found = try session.call(["XINFO", "STREAM", keys.events]) { reply -> StreamID? in
    for place in stride(from: 0, to: reply.count - 1, by: 2)
    where reply[place].text == "last-generated-id" {
      return reply[place + 1].text.flatMap { StreamID($0) }
    }
    return nil
  }
  guard let found else { throw .unreadable("XINFO STREAM") }
  return found
}
