import Glibc
import Synchronization

/// Stands between a client and a server on loopback, and can lose what the server answers: the
/// request has arrived, the reply never does, and the connection dies.
public final class CuttingProxy: Sendable {
  /// Where clients connect.
  public var port: UInt16 { listener.port }

  private let target: UInt16
  private let listener: LoopbackListener
  private let state = Mutex(State())

  private struct State {
    var losing: [UInt8]?
    var cuts = 0
  }

  /// Listens on a free port, and forwards to `target` on loopback.
  public init(to target: UInt16) throws {
    self.target = target
    listener = try LoopbackListener()
    listener.serve { self.forward($0) }
  }

  /// From now on: when a request that contains `word` has arrived, its reply is swallowed and the
  /// connection is cut.  Everything else passes.
  public func loseReplies(to word: String) { state.withLock { $0.losing = Array(word.utf8) } }

  /// Forwards everything again.
  public func heal() { state.withLock { $0.losing = nil } }

  /// Connections that were cut with a reply on its way.
  public var cuts: Int { state.withLock { $0.cuts } }

  /// Accepts nothing more.  Connections end with their clients.
  public func stop() { listener.stop() }

  private func forward(_ client: Int32) {
    guard let server = LoopbackListener.connection(to: target) else {
      close(client)
      return
    }
    let pair = Pair(client, server)
    onThread { self.pump(from: server, to: client, isReply: true, pair) }
    pump(from: client, to: server, isReply: false, pair)
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
      guard LoopbackListener.send(bytes[..<count], to: sink) else { return }
    }
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
}
