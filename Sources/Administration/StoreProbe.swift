import Loop
import Synchronization

/// Asks a store every second whether it answers and can be written, on a thread of its own: a store that has stopped
/// without closing its sockets keeps nobody else waiting.
actor StoreProbe<Session> {
  /// What the last answers have shown.
  nonisolated let reachability = Reachability()

  private let executor: LoopExecutor
  private let connect: @Sendable () throws -> Session
  private let ask: @Sendable (Session) throws -> String?
  private var session: Session?

  nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// - Parameters:
  ///   - name: of the store, for the debugger.
  ///   - ask: why the store, which answers, is of no use now; nil: it is well.
  init(
    _ name: String, connect: @escaping @Sendable () throws -> Session,
    ask: @escaping @Sendable (Session) throws -> String?
  ) {
    executor = LoopExecutor(label: "stockworker.probe.\(name)")
    (self.connect, self.ask) = (connect, ask)
  }

  /// Asks until its task is cancelled.
  func run() async {
    while !Task.isCancelled {
      askOnce()
      try? await Task.sleep(for: .milliseconds(AdministrationLimits.probeEveryMs))
    }
    session = nil
  }

  private func askOnce() {
    reachability.asked(at: monotonicNow())
    do {
      let session = try session ?? connect()
      self.session = session
      reachability.answered(try ask(session))
    } catch {
      session = nil
      reachability.answered("\(error)")
    }
  }
}

/// Whether a store can be reached, and used.  Any thread may ask.
final class Reachability: Sendable {
  private struct State {
    /// Nanoseconds of CLOCK_MONOTONIC; nil: the last question has been answered.
    var askedAt: UInt64?
    var failure: String? = "it has not been asked yet"
  }

  private let state = Mutex(State())

  func asked(at now: UInt64) { state.withLock { $0.askedAt = now } }

  /// - Parameter failure: nil: the store is well.
  func answered(_ failure: String?) {
    state.withLock { $0 = State(askedAt: nil, failure: failure) }
  }

  /// Why the store cannot be used; nil: all was well when it was asked last.
  var downReason: String? {
    let now = monotonicNow()
    return state.withLock { state in
      let silentMs = state.askedAt.map { (now - min($0, now)) / 1_000_000 } ?? 0
      if silentMs >= AdministrationLimits.silentMs { return "no answer for \(silentMs) ms" }
      return state.failure
    }
  }
}
