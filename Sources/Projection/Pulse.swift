import Loop
import Synchronization

/// Whether the threads of a worker still move.  Any thread may ask.
///
/// How it works.  Each says from time to time by when it will be heard again; whatever it waits for has a
/// deadline, which it adds.  One that is late hangs.
public final class Pulse: Sendable {
  /// Nanoseconds of CLOCK_MONOTONIC, by name.
  private let due = Mutex<[String: UInt64]>([:])

  init() {}

  /// A thread moves.
  /// - Parameters:
  ///   - waitMs: for how long it is about to wait for one thing, in milliseconds.
  ///   - now: nanoseconds of CLOCK_MONOTONIC.
  func beat(of name: String, waitMs: UInt64 = 0, at now: UInt64 = monotonicNow()) {
    let moment = now + (waitMs + ProjectionLimits.stuckMs) * 1_000_000
    due.withLock { $0[name] = moment }
  }

  /// A thread has ended.
  func end(of name: String) { _ = due.withLock { $0.removeValue(forKey: name) } }

  /// The threads that are late, in order.
  public var late: [String] { late(at: monotonicNow()) }

  func late(at now: UInt64) -> [String] {
    due.withLock { $0.filter { $0.value < now }.keys.sorted() }
  }
}
