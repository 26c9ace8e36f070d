import Dispatch
import Glibc

/// The addresses behind the name of a host, without keeping anybody who has other work waiting.
///
/// How it works.  `getaddrinfo` blocks for as long as the system's resolver is patient, which is half a
/// minute where a name server is silent, and nobody can call it off.  So a name is looked up on a thread
/// of its own, one thread a name: whoever asks meanwhile hears the same answer, or leaves earlier.  What is
/// an address already needs no thread.
///
/// c-ares lost: a library and its descriptors on every loop, for something that is done once a connection,
/// and without the system's other sources of names (nsswitch.conf).
public enum HostLookup {
  /// What was found, in the order in which it is to be tried: never empty; or why nothing was.
  public typealias Outcome = Result<[InternetAddress], SystemError>

  private typealias Waiter = @Sendable (Outcome) -> Void
  private static let waiters = Locked<[String: [Waiter]]>([:])

  /// Begins to look a name up.
  /// - Parameter done: called once, on any thread; before this returns, where `host` is an address.
  public static func begin(
    _ host: String, port: UInt16, _ done: @escaping @Sendable (Outcome) -> Void
  ) {
    if let address = InternetAddress(host, port: port) { return done(.success([address])) }
    let waiter: Waiter = { outcome in done(outcome.map { $0.map { $0.at(port: port) } }) }
    let isFirst = waiters.withLock { waiters in
      waiters[host, default: []].append(waiter)
      return waiters[host]!.count == 1
    }
    guard isFirst else { return }
    DispatchQueue(label: "stockstream.names").async {
      let outcome = ask(for: host)
      let waiting = waiters.withLock { $0.removeValue(forKey: host) ?? [] }
      for waiter in waiting { waiter(outcome) }
    }
  }

  /// Looks a name up, and blocks the thread meanwhile.
  /// - Throws: why there is no address, or that nobody has said so within `withinMs`.
  public static func addresses(
    of host: String, port: UInt16, withinMs: Int
  ) throws(SystemError) -> [InternetAddress] {
    let outcome = outcome(host, port, withinMs)
    return try (outcome ?? .failure(silence(about: host, ms: withinMs))).get()
  }

  /// Whether it is known within `withinMs` milliseconds what a name stands for, be it nothing; blocks the
  /// thread meanwhile.
  public static func isAnswered(about host: String, withinMs: Int) -> Bool {
    outcome(host, 0, withinMs) != nil
  }

  private static func outcome(_ host: String, _ port: UInt16, _ withinMs: Int) -> Outcome? {
    let found = Locked<Outcome?>(nil)
    let isThere = DispatchSemaphore(value: 0)
    begin(host, port: port) { outcome in
      found.withLock { $0 = outcome }
      isThere.signal()
    }
    _ = isThere.wait(timeout: .now() + .milliseconds(withinMs))
    return found.withLock { $0 }
  }

  /// That a lookup has taken too long.
  public static func silence(about host: String, ms: Int) -> SystemError {
    SystemError("the name \(host) could not be looked up within \(ms) ms", 0)
  }

  private static func ask(for host: String) -> Outcome {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, nil, &hints, &list)
    defer { if let list { freeaddrinfo(list) } }
    var found: [InternetAddress] = []
    var next = code == 0 ? list : nil
    while let info = next {
      found.append(InternetAddress(info.pointee))
      next = info.pointee.ai_next
    }
    guard found.isEmpty else { return .success(found) }
    return .failure(SystemError("\(host): \(String(cString: gai_strerror(code)))", 0))
  }
}

/// An address and a port of IPv4 or IPv6.
public struct InternetAddress: Sendable {
  private var storage: sockaddr_storage
  private var length: socklen_t

  /// nil: `host` is not written as an address, but a name.
  public init?(_ host: String, port: UInt16) {
    storage = sockaddr_storage()
    var (four, six) = (in_addr(), in6_addr())
    if inet_pton(AF_INET, host, &four) == 1 {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr = four
      length = socklen_t(MemoryLayout<sockaddr_in>.size)
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_in.self) }
    } else if inet_pton(AF_INET6, host, &six) == 1 {
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_addr = six
      length = socklen_t(MemoryLayout<sockaddr_in6>.size)
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_in6.self) }
    } else {
      return nil
    }
    self = at(port: port)
  }

  fileprivate init(_ info: addrinfo) {
    storage = sockaddr_storage()
    length = info.ai_addrlen
    withUnsafeMutableBytes(of: &storage) {
      $0.copyMemory(from: UnsafeRawBufferPointer(start: info.ai_addr, count: Int(info.ai_addrlen)))
    }
  }

  /// Whether it is one of IPv4.
  public var isFour: Bool { storage.ss_family == sa_family_t(AF_INET) }

  /// The same address with another port: it stands at the same place for both.
  func at(port: UInt16) -> InternetAddress {
    var other = self
    withUnsafeMutableBytes(of: &other.storage) {
      $0.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
    }
    return other
  }

  /// Begins to connect a non-blocking socket, which becomes writable when it is decided.
  /// - Parameter prepare: sets options before.
  /// - Returns: the descriptor, for the caller to close.
  public func connect(_ prepare: (Int32) -> Void = { _ in }) throws(SystemError) -> Int32 {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let fd = socket(Int32(storage.ss_family), type, 0)
    guard fd >= 0 else { throw SystemError("socket", errno) }
    prepare(fd)
    let result = withUnsafePointer(to: storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(fd, $0, length) }
    }
    guard result == 0 || errno == EINPROGRESS else {
      let code = errno
      close(fd)
      throw SystemError("connect", code)
    }
    return fd
  }
}
