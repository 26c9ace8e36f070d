import Glibc
import Loop

/// One listening socket of a server.  Owns the descriptor.  Lives on the loop's queue.
final class Listener: Descriptor {
  /// Back off this long when the process has no descriptors left, rather than spin.
  private static let pauseMs: UInt64 = 100
  /// Connections accepted in one pass, so that a crowd at the door keeps nobody inside waiting.
  private static let acceptsPerPass = 64

  private let loop: EventLoop
  private let accepted: (Int32) -> Void
  private let failed: (SystemError) -> Void
  private let path: String?
  private(set) var fd: Int32
  private var token: Token?

  /// The address that is listened on, with the port that was found.
  let address: Address

  /// Binds an address.
  /// - Parameters:
  ///   - alone: a TCP port is shared with nobody.
  ///   - accepted: takes over each connection's descriptor.
  init(
    on address: Address, access: SocketAccess, alone: Bool = false, loop: EventLoop,
    accepted: @escaping (Int32) -> Void, failed: @escaping (SystemError) -> Void
  ) throws(SystemError) {
    self.loop = loop
    self.accepted = accepted
    self.failed = failed
    fd = try Socket.listen(on: address, access: access, alone: alone)
    switch address {
    case .tcp(let host, _):
      (self.address, path) = (.tcp(host: host, port: Socket.port(of: fd)), nil)
    case .unix(let place): (self.address, path) = (address, place)
    }
    token = try loop.add(self, fd: fd, interest: .read)
  }

  /// Listens on another shard's Unix socket, which cannot be bound twice; whoever is first accepts.
  init(
    sharing descriptor: Int32, of address: Address, loop: EventLoop,
    accepted: @escaping (Int32) -> Void, failed: @escaping (SystemError) -> Void
  ) throws(SystemError) {
    self.loop = loop
    self.accepted = accepted
    self.failed = failed
    (self.address, path) = (address, nil)
    fd = dup(descriptor)
    guard fd >= 0 else { throw SystemError("dup", errno) }
    token = try loop.add(self, fd: fd, interest: .read)
  }

  func ready(_ readiness: Readiness) { accept(atMost: Self.acceptsPerPass) }

  /// Accepts everybody who waits.
  func acceptWaiting() { accept(atMost: .max) }

  private func accept(atMost count: Int) {
    for _ in 0..<count where fd >= 0 {
      do {
        guard let connection = try Socket.accept(fd) else { return }
        accepted(connection)
      } catch {
        failed(error)
        return pause()
      }
    }
    loop.leaveSome()
  }

  /// Accepts nothing more.  Whoever bound a path takes it away.
  func close() {
    guard fd >= 0 else { return }
    if let token { loop.remove(token) }
    token = nil
    if let path { unlink(path) }
    Glibc.close(fd)
    fd = -1
  }

  private func pause() {
    if let token { loop.remove(token) }
    token = nil
    loop.after(ms: Self.pauseMs) { [weak self] in
      guard let self, fd >= 0 else { return }
      token = try? loop.add(self, fd: fd, interest: .read)
      if token == nil { pause() }
    }
  }
}
