import HotPath
import Inventory
import Ledger

/// A way past the holds that have moved of late, in the order of the stream.
struct RecentPass {
  /// Milliseconds of the stream that one question to the books is about, at most: a crowd of them is one
  /// answer.
  static let widthMsMax: UInt64 = 30_000

  /// Milliseconds of the stream up to here have been asked about.
  private var at: UInt64
  private let end: UInt64
  private var widthMs: UInt64 = 1_000
  /// Holds that have not been passed yet.
  private var left: ArraySlice<String> = []

  /// - Parameter now: the stream's time.
  init(now: UInt64) {
    end = now
    at = now - min(now, AuditLimits.recentMs)
  }

  var isOver: Bool { at >= end && left.isEmpty }

  /// The holds of the next step.
  /// - Parameter moved: those that have moved after one millisecond, up to another.
  mutating func next(
    _ moved: (_ after: UInt64, _ to: UInt64) throws -> [String]
  ) rethrows -> [String] {
    while left.count < AuditLimits.stepHoldsMax, at < end {
      let to = min(at + widthMs, end)
      let found = try moved(at, to)
      (at, left) = (to, left + found)
      if found.count > AuditLimits.stepHoldsMax { widthMs = max(widthMs / 2, 1) }
      if found.count < AuditLimits.stepHoldsMax / 4 { widthMs = min(widthMs * 2, Self.widthMsMax) }
    }
    let step = left.prefix(AuditLimits.stepHoldsMax)
    left = left.dropFirst(step.count)
    return Array(step)
  }
}

extension Examination {
  /// Walks a step past the holds that have moved of late, from the oldest of them on.
  ///
  /// - Returns: whether all of them have been passed.
  func stepInRecent() throws -> Bool {
    // A clock that was ahead, and has been set right, is behind the stream.
    var pass =
      try recent
      ?? RecentPass(now: max(stores.store.time(), stores.store.applied()?.ms ?? 0))
    try compare(pass.next { try stores.books.moved(after: $0, to: $1) })
    recent = pass.isOver ? nil : pass
    return pass.isOver
  }
}
