import Glibc
import Synchronization

/// Ports that this process has given out: between two calls nobody listens on them yet.
private let given = Mutex<Set<UInt16>>([])

/// A loopback TCP port that nobody listens on, never the same twice in one process.
///
/// It lies below the range from which the kernel picks the near end of outgoing connections, so
/// that it stays free while the server on it is restarted.
public func freePort() -> UInt16 {
  while true {
    let port = UInt16.random(in: 12_000..<32_000)
    if given.withLock({ $0.insert(port).inserted }), canListen(on: port) { return port }
  }
}

private func canListen(on port: UInt16) -> Bool {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
  precondition(descriptor >= 0, "no descriptor left for a socket")
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
    }
  }
}
