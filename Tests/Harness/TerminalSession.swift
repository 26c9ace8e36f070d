import Glibc
import Synchronization

/// A program that a person sits at: its three standard descriptors are a terminal.
public final class TerminalSession: Sendable {
  private let child: Child
  private let master: Int32
  /// Kept open, so that the master has no end before the program has.
  private let slave: Int32
  private let seen = Mutex<[UInt8]>([])

  /// Starts one of this package's programs, or another, as `Program.start` does.
  /// - Parameter columns: of the terminal.
  public init(
    _ name: String, _ arguments: [String] = [], columns: UInt16 = 80,
    environment: [String: String] = [:]
  ) throws {
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    // TIOCSPTLCK and TIOCGPTN of ioctl_tty(2), which Glibc's module lacks, as it lacks unlockpt.
    var (unlocked, number) = (Int32(0), UInt32(0))
    guard master >= 0, ioctl(master, 0x4004_5431, &unlocked) == 0,
      ioctl(master, 0x8004_5430, &number) == 0
    else {
      throw HarnessError("no terminal: \(String(cString: strerror(errno)))")
    }
    let device = "/dev/pts/\(number)"
    slave = open(device, O_RDWR | O_NOCTTY | O_CLOEXEC)
    var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    guard slave >= 0, ioctl(master, UInt(TIOCSWINSZ), &size) == 0 else {
      throw HarnessError("no terminal: \(String(cString: strerror(errno)))")
    }
    _ = fcntl(master, F_SETFL, O_NONBLOCK)
    let plain = ["TERM": "xterm", "NO_COLOR": "1", "COLUMNS": ""]
    child = try Child(
      Program.executable(named: name), arguments,
      environment: Program.inherited(adding: plain.merging(environment) { _, new in new }),
      input: slave, output: device, errors: device)
  }

  deinit { stop() }

  /// All that has been written to the terminal so far.
  public var screen: String {
    seen.withLock { seen in
      var bytes = [UInt8](repeating: 0, count: 4_096)
      while true {
        let count = read(master, &bytes, bytes.count)
        guard count > 0 else { break }
        seen.append(contentsOf: bytes[..<count])
      }
      return String(decoding: seen, as: UTF8.self)
    }
  }

  /// Types a text.
  public func type(_ text: String) { _ = write(master, text, text.utf8.count) }

  /// Ctrl-C.
  public func interrupt() { child.send(SIGINT) }

  /// Waits until a text has been written.
  public func wait(for text: String, timeout: Duration = .seconds(10)) async throws {
    try await eventually(timeout: timeout, "the terminal shows \"\(text)\"") {
      screen.contains(text)
    }
  }

  /// Waits for the end of the program.
  /// - Returns: its exit code, and all that was written.
  public func end(timeout: Duration = .seconds(30)) throws -> (status: Int32, screen: String) {
    var status: Int32?
    let isOver = blockUntil(timeout: timeout) {
      // What fills the terminal would hold the program up.
      _ = screen
      status = child.poll()
      return status != nil
    }
    guard isOver, let status else { throw HarnessError("still running:\n\(screen)") }
    return (status, screen)
  }

  /// Kills the program if it still runs.  Once.
  private func stop() {
    child.end(SIGKILL, timeout: .seconds(10))
    close(slave)
    close(master)
  }
}
