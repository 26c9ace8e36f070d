/// How much of Redis's memory the events take that are not in the books yet, from what Redis says of the
/// stream and of the group that writes the books.
struct Backlog: Equatable {
  /// New holds begin again below this share of the limit, so that the answer does not flicker.
  private static let againBelow = 0.9

  /// Bytes, about: every entry counts as large as the others.
  let bytes: Int64

  /// - Parameters:
  ///   - streamBytes: `MEMORY USAGE` of the stream.
  ///   - entries: `XLEN` of it.
  ///   - group: that of the books; nil: there is none, and nothing is applied.
  init(streamBytes: Int64, entries: Int64, group: StreamGroup?) {
    let waiting = group.map { Int64($0.pending) + ($0.lag.map(Int64.init) ?? entries) } ?? entries
    let share = entries > 0 ? Double(min(waiting, entries)) / Double(entries) : 0
    bytes = Int64(Double(streamBytes) * share)
  }

  /// Whether new holds are refused.
  /// - Parameters:
  ///   - limitBytes: 0: there is no limit.
  ///   - refusing: what held before; it ends somewhat below the limit.
  func isTooLarge(limitBytes: Int64, refusing: Bool) -> Bool {
    guard limitBytes > 0 else { return false }
    return Double(bytes) > Double(limitBytes) * (refusing ? Self.againBelow : 1)
  }

  /// One group in a list of all; nil: it is not there.
  static func group(_ name: String, in reply: RedisReply) -> StreamGroup? {
    StreamGroup.all(in: reply)?.first { $0.name == name }
  }
}
