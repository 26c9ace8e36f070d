/// How long to wait before the next attempt: doubling, and spread so that many workers do not come
/// back at the same instant.
struct Backoff {
  private var ceilingMs = ProjectionLimits.retryMsMin

  /// Something worked.
  mutating func reset() { ceilingMs = ProjectionLimits.retryMsMin }

  /// Something failed: half of the ceiling for certain, the other half by lot.
  mutating func next() -> UInt64 {
    defer { ceilingMs = min(ceilingMs * 2, ProjectionLimits.retryMsMax) }
    return ceilingMs / 2 + .random(in: 0...ceilingMs / 2)
  }
}

/// How often which event has been refused.  An event that is applied after all is forgotten.
struct Attempts {
  /// What is known about one event.
  struct Record {
    var count = 0
    let firstMs: UInt64
    var lastMs: UInt64
  }

  private var records: [String: Record] = [:]

  /// Counts one more refusal of an event.
  mutating func count(_ event: String, nowMs: UInt64) -> Record {
    var record = records[event] ?? Record(firstMs: nowMs, lastMs: nowMs)
    record.count += 1
    record.lastMs = nowMs
    records[event] = record
    return record
  }

  /// Its fate is decided.
  mutating func forget(_ event: String) { records[event] = nil }
}

/// Something to be done every so often.
struct Cadence {
  let everyMs: UInt64
  private var due = ContinuousClock.now

  init(everyMs: UInt64) { self.everyMs = everyMs }

  /// True at most once in `everyMs`.
  mutating func isDue() -> Bool {
    let now = ContinuousClock.now
    guard now >= due else { return false }
    due = now + .milliseconds(everyMs)
    return true
  }
}
