import CEpoll
import Glibc
import Loop

/// Where a server listens: `host:port`.
public struct Address: Sendable, Hashable, CustomStringConvertible {
  /// A name or a numeric address.
  public let host: String
  /// 0: any free port, when listening.
  public let port: UInt16

  /// An address from its parts.
  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// nil: not of the form `host:port` or `[v6]:port`.
  public init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...])
    else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard !host.isEmpty else { return nil }
    self.init(host: String(host), port: port)
  }

  /// `host:port`
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Non-blocking TCP sockets.  Whoever is given a descriptor closes it.
enum Socket {
  static func listen(on address: Address, backlog: Int32 = 4096) throws(SystemError) -> Int32 {
    try resolve(address, passive: true) { info throws(SystemError) in
      let fd = try open(info)
      do throws(SystemError) {
        var one: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, size)
        // Each shard listens for itself, and the kernel deals connections out among them.
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, size)
        guard bind(fd, info.ai_addr, info.ai_addrlen) == 0 else { throw SystemError("bind", errno) }
        guard Glibc.listen(fd, backlog) == 0 else { throw SystemError("listen", errno) }
        return fd
      } catch {
        close(fd)
        throw error
      }
    }
  }

  /// Begins to connect; the descriptor becomes writable when it is decided.
  static func connect(to address: Address) throws(SystemError) -> Int32 {
    try resolve(address, passive: false) { info throws(SystemError) in
      let fd = try open(info)
      noDelay(fd)
      guard Glibc.connect(fd, info.ai_addr, info.ai_addrlen) == 0 || errno == EINPROGRESS else {
        let code = errno
        close(fd)
        throw SystemError("connect", code)
      }
      return fd
    }
  }

  /// nil: nobody waits.
  static func accept(_ listener: Int32) throws(SystemError) -> Int32? {
    let fd = stock_accept(listener)
    switch -fd {
    case EAGAIN, EINTR, ECONNABORTED: return nil
    case 1...: throw SystemError("accept", -fd)
    default:
      noDelay(fd)
      return fd
    }
  }

  static func port(of fd: Int32) -> UInt16 {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(fd, $0, &size) }
      let port = UnsafeRawPointer($0).load(fromByteOffset: 2, as: UInt16.self)
      return UInt16(bigEndian: port)
    }
  }

  /// The error that a connection attempt ended with; nil when it succeeded.
  static func pendingError(of fd: Int32) -> SystemError? {
    var code: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size)
    return code == 0 ? nil : SystemError("connect", code)
  }

  private static func noDelay(_ fd: Int32) {
    var one: Int32 = 1
    setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
  }

  private static func open(_ info: addrinfo) throws(SystemError) -> Int32 {
    let type = info.ai_socktype | Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let fd = socket(info.ai_family, type, info.ai_protocol)
    guard fd >= 0 else { throw SystemError("socket", errno) }
    return fd
  }

  private static func resolve(
    _ address: Address, passive: Bool, _ body: (addrinfo) throws(SystemError) -> Int32
  ) throws(SystemError) -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = passive ? AI_PASSIVE : 0
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(address.host, "\(address.port)", &hints, &found) == 0, let first = found
    else { throw SystemError("getaddrinfo \(address)", ENOENT) }
    defer { freeaddrinfo(found) }
    return try body(first.pointee)
  }
}
