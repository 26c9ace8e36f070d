import Glibc
import Synchronization

/// Stands between a client and a server on loopback, and can lose what the server answers: the
/// request has arrived, the reply never does, and the connection dies.
public final class CuttingProxy: Sendable {
  /// Where clients connect.
  public let port: UInt16

  private let target: UInt16
  private let listener: Int32
  private let state = Mutex(State())

  private struct State {
    var losing: [UInt8]?
    var cuts = 0
  }

  /// Listens on a free port, and forwards to `target` on loopback.
  public init(to target: UInt16) throws {
    self.target = target
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    self.listener = listener
    var address = Self.loopback(port: 0)
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard bound == 0, listen(listener, 64) == 0 else {
      throw HarnessError("the proxy cannot listen")
    }
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(listener, $0, &size) }
    }
    port = UInt16(bigEndian: address.sin_port)
    Self.onThread { self.accept() }
  }

  /// From now on: when a request that contains `word` has arrived, its reply is swallowed and the
  /// connection is cut.  Everything else passes.
  public func loseReplies(to word: String) { state.withLock { $0.losing = Array(word.utf8) } }

  /// Forwards everything again.
  public func heal() { state.withLock { $0.losing = nil } }

  /// Connections that were cut with a reply on its way.
  public var cuts: Int { state.withLock { $0.cuts } }

  /// Accepts nothing more.  Connections end with their clients.
  public func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  private func accept() {
    while true {
      let client = Glibc.accept(listener, nil, nil)
      guard client >= 0 else { return }
      let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var address = Self.loopback(port: target)
      let connected = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      guard connected == 0 else {
        close(client)
        close(server)
        continue
      }
      let pair = Pair(client, server)
      Self.onThread { self.pump(from: client, to: server, isReply: false, pair) }
      Self.onThread { self.pump(from: server, to: client, isReply: true, pair) }
    }
  }

  private func pump(
    from source: Int32, to sink: Int32, isReply: Bool, _ pair: Pair
  ) {
    defer { pair.shut() }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(source, &bytes, bytes.count, 0)
      guard count > 0 else { return }
      if isReply && pair.isDoomed {
        state.withLock { $0.cuts += 1 }
        return
      }
      if !isReply, let word = state.withLock({ $0.losing }),
        bytes[..<count].contains(word)
      {
        pair.doom()
      }
      var sent = 0
      while sent < count {
        let wrote = bytes[sent..<count].withUnsafeBytes {
          send(sink, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard wrote > 0 else { return }
        sent += wrote
      }
    }
  }

  private static func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }

  private static func onThread(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Body(body))
    pthread_create(
      &thread, nil,
      {
        Unmanaged<Body>.fromOpaque($0!).takeRetainedValue().run()
        return nil
      }, box.toOpaque())
    pthread_detach(thread)
  }

  /// Two sockets that die together, and are closed when both directions have ended.
  private final class Pair: Sendable {
    private let sockets: [Int32]
    private let doomed = Mutex(false)

    init(_ client: Int32, _ server: Int32) { sockets = [client, server] }

    var isDoomed: Bool { doomed.withLock { $0 } }

    func doom() { doomed.withLock { $0 = true } }

    func shut() { for socket in sockets { shutdown(socket, Int32(SHUT_RDWR)) } }

    deinit { for socket in sockets { close(socket) } }
  }

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
}
