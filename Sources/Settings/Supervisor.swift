import Glibc

/// Whoever started the daemon and waits to hear that it is ready: systemd's `Type=notify`.
public enum Supervisor {
  /// Sends one state, such as `READY=1`, to the socket of NOTIFY_SOCKET; nobody there is no fault.
  /// (https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html)
  public static func tell(_ state: String) {
    guard let path = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }), let first = path.first,
      first == "/" || first == "@"
    else { return }
    let fd = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard fd >= 0 else { return }
    defer { close(fd) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // An abstract name begins with a NUL, and is written with an @.
    let name = Array((first == "@" ? "\0" + path.dropFirst() : path).utf8)
    guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    let size = socklen_t(MemoryLayout<sa_family_t>.size + name.count + (first == "@" ? 0 : 1))
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
        _ = sendto(fd, state, state.utf8.count, Int32(MSG_NOSIGNAL), target, size)
      }
    }
  }
}

// A watchdog: systemd's `WatchdogSec`, which starts a daemon again that it has not heard for so long.
extension Supervisor {
  /// Tells the supervisor three times in its interval that the daemon works, for as long as it does.  Returns
  /// when its task is cancelled, and at once where nobody wants to hear it.
  /// - Parameter works: asks those who do the work.  One that does not answer keeps the supervisor waiting, as
  ///   it should.
  public static func keepTold(while works: () async -> Bool) async {
    guard let everyMs = watchdogMs(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID")) else { return }
    while !Task.isCancelled {
      if await works() { tell("WATCHDOG=1") }
      try? await Task.sleep(for: .milliseconds(max(everyMs / 3, 1)))
    }
  }

  /// Within which time the supervisor wants to hear of this process, in milliseconds; nil: it does not.
  /// - Parameters:
  ///   - interval: microseconds, as systemd says them.
  ///   - pid: of the process that is meant; nil: whoever reads it.
  private static func watchdogMs(
    _ interval: UnsafeMutablePointer<CChar>?, _ pid: UnsafeMutablePointer<CChar>?
  ) -> UInt64? {
    if let pid, String(cString: pid) != "\(getpid())" { return nil }
    guard let us = interval.flatMap({ UInt64(String(cString: $0)) }), us > 0 else { return nil }
    return us / 1_000
  }
}
