import ArgumentParser
import Dispatch
import Glibc
import Loop
import Synchronization

/// Ctrl-C, and SIGTERM, while something goes on that can say how far it has come.  The first asks it
/// to stop; a second ends the program on the spot.  Heard as long as this is kept.
struct Interruption {
  private final class State: Sendable {
    let value: Mutex<(count: Int, hasBegun: Bool)>
    init(hasBegun: Bool) { value = Mutex((0, hasBegun)) }
  }

  private let state: State
  private let source: any DispatchSourceRead

  /// - Parameters:
  ///   - idle: said when it comes before `begin`: then there is nothing to end in order, and the first
  ///     one ends the program on the spot.  nil: it has begun.
  ///   - stop: called once, on a global queue.
  /// - Throws: `SystemError` when the process has no descriptors left.
  init(before idle: String? = nil, _ stop: @escaping @Sendable () -> Void) throws {
    let state = State(hasBegun: idle == nil)
    self.state = state
    source = try StopSignal.source {
      let (count, hasBegun) = state.value.withLock { state in
        state.count += 1
        return state
      }
      if let idle, !hasBegun {
        Confirmation.leave()
        // The program ends in here: outside, a bar could still be drawn over what was said.
        Progress.aside {
          StandardError.raw("stockctl: interrupted: \(idle)\n")
          _exit(ExitReason.interrupted.rawValue)
        }
      } else if count == 1 {
        return stop()
      }
      _exit(ExitReason.interrupted.rawValue)
    }
  }

  /// From now on something is done that has to be ended in order.
  func begin() { state.value.withLock { $0.hasBegun = true } }

  /// Whether somebody has asked.
  var hasCome: Bool { state.value.withLock { $0.count > 0 } }

  /// Ends the command with the code of an interrupted one, if it was.
  func finish() throws {
    if hasCome { throw ExitReason.interrupted.exit }
  }
}
