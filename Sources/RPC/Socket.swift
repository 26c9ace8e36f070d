import CEpoll
import Glibc
import Loop

/// Non-blocking TCP and Unix sockets.  Whoever is given a descriptor closes it.
enum Socket {
  /// Connections that wait to be accepted.
  private static let backlog: Int32 = 4096

  static func listen(
    on address: Address, access: SocketAccess, alone: Bool = false
  ) throws(SystemError) -> Int32 {
    switch address {
    case .tcp(let host, let port): try listen(host, port, alone)
    case .unix(let path): try UnixSocket.listen(at: path, access: access, backlog: backlog)
    }
  }

  private static func listen(
    _ host: String, _ port: UInt16, _ alone: Bool
  ) throws(SystemError) -> Int32 {
    try resolve(host, port) { info throws(SystemError) in
      let fd = try open(info)
      do throws(SystemError) {
        var one: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, size)
        // Each shard listens for itself, and the kernel deals connections out among them.
        if !alone { setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, size) }
        // What is accepted inherits these.
        noDelay(fd)
        watchPeer(fd)
        guard bind(fd, info.ai_addr, info.ai_addrlen) == 0 else {
          throw SystemError("bind \(Address(host: host, port: port))", errno)
        }
        guard Glibc.listen(fd, backlog) == 0 else { throw SystemError("listen", errno) }
        return fd
      } catch {
        close(fd)
        throw error
      }
    }
  }

  /// Begins to connect; the descriptor becomes writable when it is decided.
  static func connect(to address: InternetAddress) throws(SystemError) -> Int32 {
    try address.connect { fd in
      noDelay(fd)
      watchPeer(fd)
    }
  }

  /// nil: nobody waits.
  static func accept(_ listener: Int32) throws(SystemError) -> Int32? {
    let fd = stock_accept(listener)
    switch -fd {
    case EAGAIN, EINTR, ECONNABORTED: return nil
    case 1...: throw SystemError("accept", -fd)
    default: return fd
    }
  }

  /// Says something without waiting, and closes.  What has come is read first: closing over unread
  /// bytes takes back what was said.
  static func turnAway(
    _ fd: Int32, saying words: UnsafeRawBufferPointer, scratch: UnsafeMutableRawBufferPointer
  ) {
    _ = send(fd, words.baseAddress, words.count, Int32(MSG_NOSIGNAL))
    shutdown(fd, Int32(SHUT_WR))
    _ = recv(fd, scratch.baseAddress, scratch.count, 0)
    close(fd)
  }

  /// Who is at the other end of an accepted connection; nil when it has gone again.
  static func peer(of fd: Int32) -> Peer? {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Peer? in
        guard getpeername(fd, address, &size) == 0 else { return nil }
        if address.pointee.sa_family == sa_family_t(AF_UNIX) { return UnixSocket.peer(of: fd) }
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard
          getnameinfo(
            address, size, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST) == 0
        else { return nil }
        return .ip(String(decoding: host.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self))
      }
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

  /// The kernel asks a silent peer whether it is still there, and gives up on one that does not
  /// acknowledge: after a minute and a half at most.
  private static func watchPeer(_ fd: Int32) {
    func set(_ level: Int, _ option: Int32, _ value: Int32) {
      var value = value
      setsockopt(fd, Int32(level), option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
    set(Int(SOL_SOCKET), SO_KEEPALIVE, 1)
    set(Int(IPPROTO_TCP), TCP_KEEPIDLE, 60)
    set(Int(IPPROTO_TCP), TCP_KEEPINTVL, 10)
    set(Int(IPPROTO_TCP), TCP_KEEPCNT, 3)
    set(Int(IPPROTO_TCP), TCP_USER_TIMEOUT, 30_000)
  }

  private static func open(_ info: addrinfo) throws(SystemError) -> Int32 {
    let type = info.ai_socktype | Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let fd = socket(info.ai_family, type, info.ai_protocol)
    guard fd >= 0 else { throw SystemError("socket", errno) }
    return fd
  }

  /// Where to listen: once, before anything is served, so it may take as long as it does.
  private static func resolve(
    _ host: String, _ port: UInt16,
    _ body: (addrinfo) throws(SystemError) -> Int32
  ) throws(SystemError) -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_PASSIVE
    var found: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, "\(port)", &hints, &found)
    guard code == 0, let first = found else {
      throw SystemError("\(host): \(String(cString: gai_strerror(code)))", 0)
    }
    defer { freeaddrinfo(found) }
    return try body(first.pointee)
  }
}
