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
