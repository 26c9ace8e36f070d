import Inventory
import Loop

extension Batch {
  /// Members of the indexes, as the sweep hands them in.
  struct Sweep {
    let members: [IndexMember]
    /// Called once, with how many of the members the script has removed.
    let done: (Int) -> Void
  }

  /// One script call on its way to Redis or back.
  struct Flight {
    let pending: [Pending]
    let sweep: Sweep?
    /// It left others waiting: Redis had nothing else to do until it was back.
    let leftOthers: Bool
    /// Nanoseconds of CLOCK_MONOTONIC.
    let sentAt = monotonicNow()

    init(_ pending: [Pending], sweep: Sweep? = nil, leftOthers: Bool = false) {
      (self.pending, self.sweep, self.leftOthers) = (pending, sweep, leftOthers)
    }

    /// Ends the waiting of its callers, of those whose deadline has come.
    func end(_ fault: StoreFault, dueBy now: UInt64 = .max) {
      for pending in pending where pending.deadline <= now { pending.complete(.failure(fault)) }
    }
  }
}
