// What a worker asks and tells the fence of a Redis.
extension EventStream {
  /// Names the process of Redis at the other end; the same for as long as the connection lives.
  public func runID() throws(StreamFault) -> String {
    let found = try session.call(["INFO", "server"]) { RedisInfo($0.text ?? "").runID }
    guard let found else { throw .unreadable("INFO") }
    return found
  }

  /// What this Redis says of itself.
  public func fence() throws(StreamFault) -> Fence {
    try session.call(["HMGET", keys.fence, "epoch", "open", "lost"]) { reply in
      guard reply.count == 3 else { return Fence() }
      return Fence(
        epoch: reply[0].text ?? "", opening: reply[1].text ?? "", lost: reply[2].text ?? "")
    }
  }

  /// The newest id that the stream has ever given; 0-0 when there is no stream.
  public func newestID() throws(StreamFault) -> StreamID {
    try HotPath.newestID(in: session, keys)
  }

  /// Opens this process of Redis to the sale, unless a writer objects or has yet to be heard.
  /// - Returns: why not; nil: it is open.
  public func open(_ opening: Opening) throws(StreamFault) -> String? {
    let text = String(decoding: PackageResources.open_lua, as: UTF8.self)
    let refusal = try session.call([
      "EVAL", text, "1", keys.fence, opening.epoch.description, opening.runID,
      "\(Fence.writerGoneMs)", "\(Fence.writerForgottenMs)", "\(Fence.writerReturnMs)",
    ]) { $0.text ?? "" }
    return refusal.isEmpty ? nil : refusal
  }

  /// Closes this Redis to the sale until it has been rebuilt.
  /// - Parameter reason: what is lost, for a person.
  public func close(because reason: String) throws(StreamFault) {
    try session.call(["HDEL", keys.fence, "open"]) { _ in }
    try session.call(["HSET", keys.fence, "lost", reason]) { _ in }
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
