import ArgumentParser
import Dispatch
import Glibc
import Loop
import Synchronization

/// Ctrl-C, and SIGTERM, while something goes on that can say how far it has come.  The first asks it
/// to stop; a second ends the program on the spot.  Heard as long as this is kept.
struct Interruption {
  private final class Count: Sendable {
    let value = Mutex(0)
  }

  private let count = Count()
  private let source: any DispatchSourceRead

  /// - Parameter stop: called once, on a global queue.
  /// - Throws: `SystemError` when the process has no descriptors left.
  init(_ stop: @escaping @Sendable () -> Void) throws {
    source = try StopSignal.source { [count] in
      let times = count.value.withLock { times in
        times += 1
        return times
      }
      if times == 1 { stop() } else { _exit(ExitReason.interrupted.rawValue) }
    }
  }

  /// Whether somebody has asked.
  var hasCome: Bool { count.value.withLock { $0 > 0 } }

  /// Ends the command with the code of an interrupted one, if it was.
  func finish() throws {
    if hasCome { throw ExitReason.interrupted.exit }
  }
}
