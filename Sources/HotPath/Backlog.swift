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
  ///   - group: what `XINFO GROUPS` says of the group; nil: there is none, and nothing is applied.
  init(streamBytes: Int64, entries: Int64, group: (pending: Int64, lag: Int64?)?) {
    let waiting = group.map { $0.pending + ($0.lag ?? entries) } ?? entries
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

  /// The figures of one group in the reply to `XINFO GROUPS`; nil: there is no such group.
  static func group(_ name: String, in reply: RedisReply) -> (pending: Int64, lag: Int64?)? {
    for fields in reply.elements {
      var values: [String: RedisReply] = [:]
      for place in stride(from: 0, to: fields.count - 1, by: 2) {
        values[fields[place].text ?? ""] = fields[place + 1]
      }
      guard values["name"]?.text == name else { continue }
      return (
        values["pending"]?.integer ?? 0,
        values["lag"].flatMap { $0.text == nil ? nil : $0.integer }
      )
    }
    return nil
  }
}
