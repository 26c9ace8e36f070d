// What workers have ended over, as they write it down themselves.
extension EventStream {
  /// How often a worker has ended over each of these; 0 for one that is not written down.
  public func trials(of names: [String]) throws(StreamFault) -> [Int] {
    guard !names.isEmpty else { return [] }
    return try session.call(["HMGET", keys.trials] + names) { reply in
      reply.elements.map { $0.text.flatMap { Int($0) } ?? 0 }
    }
  }

  /// Writes that down.
  /// - Parameter count: 0 takes them away.
  public func setTrials(_ trials: [(name: String, count: Int)]) throws(StreamFault) {
    let counted = trials.filter { $0.count > 0 }.flatMap { [$0.name, "\($0.count)"] }
    if !counted.isEmpty { try session.call(["HSET", keys.trials] + counted) { _ in } }
    let gone = trials.filter { $0.count == 0 }.map(\.name)
    if !gone.isEmpty { try session.call(["HDEL", keys.trials] + gone) { _ in } }
  }
}
