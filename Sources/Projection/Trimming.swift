import HotPath

/// Which entries nobody needs any more.
///
/// The floor of a group is its oldest pending entry; when it has none, whatever follows the newest
/// that was handed out.  Nothing at or above the lowest floor is ever removed, and nothing younger
/// than the window.  The window is there for people and followers; when memory is short, holds need
/// it more, and it shrinks.
struct Trimming {
  /// The groups that are waited for.
  let groups: [String]
  /// Milliseconds for which entries stay though every group has done with them.
  let windowMs: UInt64

  /// What a look at the stream found.
  struct Verdict {
    /// Entries below can go; nil: none can.
    var floor: StreamID?
    /// The group that writes the books, and the last id up to which all is applied.
    var books: (group: StreamGroup, applied: StreamID)?
    /// Redis's clock when the look began, in milliseconds since 1970.
    var nowMs: UInt64 = 0
    /// Groups that nobody waits for.
    var strangers: [String] = []
    /// Groups that are waited for and do not exist.
    var missing: [String] = []
    /// Other groups that are waited for and have not done with everything, each with its floor.
    var waiting: [(name: String, floor: StreamID)] = []
  }

  /// The whole window while half of the memory is free; none when less than a quarter is.
  func window(at memoryUse: Double) -> UInt64 {
    let (full, none) = (ProjectionLimits.windowFullUse, ProjectionLimits.windowNoneUse)
    let share = (none - memoryUse) / (none - full)
    return UInt64(Double(windowMs) * min(max(share, 0), 1))
  }

  func judge(_ stream: EventStream) throws(StreamFault) -> Verdict {
    // Groups before pending entries, and the clock before both: whatever is handed out between two
    // of these questions lies above the answer.
    let now = try stream.time()
    let windowMs = window(at: try stream.memoryUse())
    let present = try stream.groups()
    // Without a window the clock has no say: one that was ahead, and has been set right, is behind the
    // ids, and nothing would be old enough for as long as it was ahead.
    var verdict = Verdict(
      floor: windowMs == 0
        ? StreamID(ms: .max, sequence: .max)
        : StreamID(ms: now - min(windowMs, now), sequence: 0))
    verdict.nowMs = now
    for name in groups {
      guard let group = present.first(where: { $0.name == name }) else {
        verdict.missing.append(name)
        continue
      }
      let floor = try stream.floor(of: group)
      if name == KeySpace.group {
        verdict.books = (group, floor.previous)
      } else if try hasWork(group, in: stream) {
        verdict.waiting.append((name, floor))
      }
      verdict.floor = verdict.floor.map { min($0, floor) }
    }
    if !verdict.missing.isEmpty { verdict.floor = nil }
    verdict.strangers = present.map(\.name).filter { !groups.contains($0) }
    return verdict
  }

  /// Whether entries wait for a group.
  private func hasWork(
    _ group: StreamGroup, in stream: EventStream
  ) throws(StreamFault) -> Bool {
    if group.pending > 0 { return true }
    if let lag = group.lag { return lag > 0 }
    return try stream.oldest(after: group.lastDelivered) != nil
  }
}
