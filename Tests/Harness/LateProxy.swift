import Glibc
import Synchronization

/// Stands between a client and a server on loopback, and can deliver late: what a client has sent is
/// kept, its connection dies, and the server gets it when the test says so.  A kernel that goes on
/// retransmitting for a closed socket does the same.
public final class LateProxy: Sendable {
  /// Where clients connect.
  public var port: UInt16 { listener.port }

  private let target: UInt16
  private let listener: LoopbackListener
  private let state = Mutex(State())

  private struct State {
    var keeping: [UInt8]?
    var isCut = false
    var kept: [(server: Int32, bytes: [UInt8])] = []
  }

  /// Listens on a free port, and forwards to `target` on loopback.
  public init(to target: UInt16) throws {
    self.target = target
    listener = try LoopbackListener()
    listener.serve { self.forward($0) }
  }

  /// From now on: a request that contains `word` is kept, its client's connection ends, and nobody else is
  /// let through.
  public func keep(_ word: String) { state.withLock { $0.keeping = Array(word.utf8) } }

  /// Lets connections through again; what is kept stays kept.
  public func heal() { state.withLock { ($0.keeping, $0.isCut) = (nil, false) } }

  /// Requests that are kept.
  public var kept: Int { state.withLock { $0.kept.count } }

  /// Gives the server everything that is kept.
  /// - Returns: the beginning of what it answers to each.
  public func deliver() -> [String] {
    let kept = state.withLock { state in
      defer { state.kept = [] }
      return state.kept
    }
    return kept.map { server, bytes in
      defer { close(server) }
      guard LoopbackListener.send(bytes[...], to: server) else { return "not taken" }
      var answer = [UInt8](repeating: 0, count: 4_096)
      let count = recv(server, &answer, answer.count, 0)
      return String(decoding: answer.prefix(max(count, 0)), as: UTF8.self)
    }
  }

  /// Accepts nothing more.  Connections end with their clients.
  public func stop() { listener.stop() }

  private func forward(_ client: Int32) {
    defer { close(client) }
    guard !state.withLock({ $0.isCut }), let server = LoopbackListener.connection(to: target) else {
      return
    }
    onThread { self.pumpReplies(from: server, to: client) }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(client, &bytes, bytes.count, 0)
      guard count > 0 else { break }
      let part = bytes[..<count]
      let isKept = state.withLock { state in
        guard let word = state.keeping, part.contains(word) else { return false }
        state.isCut = true
        state.kept.append((server, Array(part)))
        return true
      }
      // The pump of replies ends with the client; the server's side stays for `deliver`.
      if isKept { return _ = shutdown(client, Int32(SHUT_RDWR)) }
      guard LoopbackListener.send(part, to: server) else { break }
    }
    shutdown(server, Int32(SHUT_RDWR))
    close(server)
  }

  /// Looks and waits, so that what is left for `deliver` is not taken.
  private func pumpReplies(from server: Int32, to client: Int32) {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    while true {
      var ready = pollfd(fd: server, events: Int16(POLLIN), revents: 0)
      var ended = pollfd(fd: client, events: Int16(0x2000), revents: 0)  // POLLRDHUP
      guard poll(&ended, 1, 0) == 0 else { return }
      guard poll(&ready, 1, 5) >= 0 else { return }
      guard ready.revents != 0 else { continue }
      let count = recv(server, &bytes, bytes.count, 0)
      guard count > 0, LoopbackListener.send(bytes[..<count], to: client) else {
        shutdown(client, Int32(SHUT_RDWR))
        return
      }
    }
  }
}
