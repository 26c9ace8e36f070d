import CEpoll
public import Dispatch
import Glibc

/// The signals that ask a program to end, as one event, and SIGHUP.
///
/// A Dispatch signal source would not do: the signal has to be ignored while its source registers, on
/// another thread, and one that comes in between is lost.  Here nothing is: once `source` has returned, a
/// signal leaves a byte in a pipe, however late somebody reads it.
public enum StopSignal {
  /// Calls `stop` on a global queue for each SIGTERM, SIGINT and SIGQUIT that has come.  Once for each process.
  /// - Parameter hangup: called for each SIGHUP; nil: that stops too.
  /// - Returns: the source; keep it as long as signals are to be heard.
  /// - Throws: `SystemError` when the process has no descriptors left.
  public static func source(
    hangup: (@Sendable () -> Void)? = nil, _ stop: @escaping @Sendable () -> Void
  ) throws(SystemError) -> any DispatchSourceRead {
    let descriptor = try SystemError.check("pipe2", stock_signal_descriptor())
    let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .global())
    source.setEventHandler {
      var signal: UInt8 = 0
      guard read(descriptor, &signal, 1) == 1 else { return }
      if Int32(signal) == SIGHUP, let hangup { hangup() } else { stop() }
    }
    source.activate()
    return source
  }

  /// Ignores the signals that mean nothing to a daemon, and that would end it: SIGPIPE, SIGALRM, SIGUSR1 and
  /// SIGUSR2.
  public static func ignoreOthers() {
    for number in [SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
  }
}
