import HotPath

/// Which groups do not move though entries wait for them: trimming waits with them, and nobody but a
/// person can tell whether their readers come back.
struct StalledGroups {
  /// A group must have stood still for this long, in milliseconds.
  let afterMs: UInt64

  private var floors: [String: (floor: StreamID, sinceMs: UInt64)] = [:]

  init(afterMs: UInt64) { self.afterMs = afterMs }

  /// - Parameters:
  ///   - waiting: each group for which entries wait, with the oldest that it has not done with.
  ///   - nowMs: milliseconds since 1970, by Redis's clock.
  /// - Returns: those that have stood still for too long, in their order.
  mutating func look(at waiting: [(name: String, floor: StreamID)], nowMs: UInt64) -> [String] {
    var next: [String: (floor: StreamID, sinceMs: UInt64)] = [:]
    for (name, floor) in waiting {
      let before = floors[name]
      next[name] = before?.floor == floor ? before : (floor, nowMs)
    }
    floors = next
    return waiting.map(\.name).filter { nowMs >= next[$0]!.sinceMs + afterMs }
  }
}
