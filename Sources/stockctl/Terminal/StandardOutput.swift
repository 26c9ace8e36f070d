import Glibc
import Synchronization

/// Where results go.
///
/// A reader that has left (`… | head -1`) is no failure: nobody wants more, and a command ends with
/// the code of what it did.  A disk that is full is one, since results are lost.
enum StandardOutput {
  private static let bufferBytesMax = 64 * 1024

  private struct State {
    var buffer: [UInt8] = []
    /// The errno of the write that failed; nothing is written after it.
    var failure: Int32?
  }
  private static let state = Mutex(State())

  /// Takes the standard descriptors that are closed, before a connection gets one of their numbers and
  /// with it what is printed: whatever is written there, or read, fails.
  static func occupy() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// Whether somebody still takes what is written: a reader that has left is noticed before the next
  /// write, which may be long in coming.
  static var isOpen: Bool {
    var poll = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
    let gone = Glibc.poll(&poll, 1, 0) > 0 && poll.revents & Int16(POLLERR) != 0
    return !gone && state.withLock { $0.failure == nil }
  }

  /// Writes a text and the end of its line, soon.
  static func line(_ text: String) {
    let isSeen = Terminal.output.isTerminal
    state.withLock { state in
      state.buffer.append(contentsOf: text.utf8)
      state.buffer.append(UInt8(ascii: "\n"))
      if isSeen { return Progress.aside { drain(&state) } }
      if state.buffer.count >= bufferBytesMax { drain(&state) }
    }
  }

  /// Writes what waits, now.
  static func flush() { state.withLock { drain(&$0) } }

  /// Writes what waits.
  /// - Returns: the exit code: the command's own, or the one for lost results.
  static func end(_ code: Int32) -> Int32 {
    flush()
    guard let failure = state.withLock({ $0.failure }), failure != EPIPE else { return code }
    StandardError.line(
      "stockctl: the output cannot be written: \(String(cString: strerror(failure)))")
    return code == 0 ? ExitReason.outputLost.rawValue : code
  }

  private static func drain(_ state: inout State) {
    defer { state.buffer.removeAll(keepingCapacity: true) }
    guard state.failure == nil else { return }
    state.failure = write(state.buffer, to: STDOUT_FILENO)
  }

  /// - Returns: the errno of the failure.
  fileprivate static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
    bytes.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let written = Glibc.write(descriptor, rest.base.baseAddress! + rest.startIndex, rest.count)
        if written >= 0 {
          rest = rest.dropFirst(written)
        } else if errno == EAGAIN {
          // Somebody has made the terminal non-blocking: wait until it takes more.
          var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          _ = Glibc.poll(&poll, 1, -1)
        } else if errno != EINTR {
          return errno
        }
      }
      return nil
    }
  }
}

/// Where failures, questions and progress go.
enum StandardError {
  /// Writes a text and the end of its line, now.
  static func line(_ text: String) {
    Progress.aside { raw(text + "\n") }
  }

  /// Writes a text as it is.
  static func raw(_ text: String) {
    _ = StandardOutput.write(Array(text.utf8), to: STDERR_FILENO)
  }
}
