import CEpoll
public import Dispatch
import Glibc

/// SIGTERM and SIGINT as one event.
///
/// A Dispatch signal source would not do: the signal has to be ignored while its source registers, on
/// another thread, and one that comes in between is lost.  Here nothing is: once `source` has returned, a
/// signal leaves a byte in a pipe, however late somebody reads it.
public enum StopSignal {
  /// Calls `stop` on a global queue for each signal that has come.  Once for each process.
  /// - Returns: the source; keep it as long as signals are to be heard.
  /// - Throws: `SystemError` when the process has no descriptors left.
  public static func source(
    _ stop: @escaping @Sendable () -> Void
  ) throws(SystemError) -> any DispatchSourceRead {
    let descriptor = try SystemError.check("pipe2", stock_stop_descriptor())
    let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .global())
    source.setEventHandler {
      var byte: UInt8 = 0
      _ = read(descriptor, &byte, 1)
      stop()
    }
    source.activate()
    return source
  }
}
