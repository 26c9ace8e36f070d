import Glibc
import Harness
import Logging
import Loop
import Testing

@testable import HotPath

/// The link against a Redis that answers whatever a test wants.
@Suite("The link to Redis")
struct RedisLinkTests {
  /// A link on a queue of its own, whose greeting is one PING.
  private actor Lane {
    private let executor = LoopExecutor(label: "test.link")
    private let loop: EventLoop
    private var link: RedisLink!
    /// What came back, in order.
    private(set) var said: [String] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(port: UInt16) throws {
      loop = try EventLoop(on: executor)
      link = RedisLink(
        to: RedisAddress("redis://127.0.0.1:\(port)")!, on: loop,
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
      ) { link, done in
        link.send(["PING"]) { done($0 == nil ? "connection closed" : $0?.error) }
      }
    }

    func start() { link.start() }
    var isOpen: Bool { link.state == .open }
    var isRefused: Bool { link.state == .down("Connection refused") }

    /// Sends a command, and notes what is said to it.
    func send(_ command: String, thenDrop reason: String? = nil) {
      link.send([command]) { [self] reply in
        if let reason, reply != nil { assumeIsolated { $0.link.drop(reason) } }
        let text = reply.map { Self.text($0) } ?? "lost"
        assumeIsolated { $0.said.append("\(command): \(text)") }
      }
    }

    private static func text(_ reply: RedisReply) -> String {
      if let error = reply.error { return "error \(error)" }
      if reply.count > 0 { return "[\(reply.elements.map { text($0) }.joined(separator: " "))]" }
      guard let text = reply.text else { return "nil" }
      return text.isEmpty ? "\(reply.integer)" : text
    }

    func close() {
      link.close()
      loop.stop()
    }
  }

  private func opened(_ peer: Peer) async throws -> Lane {
    let lane = try Lane(port: peer.port)
    await lane.start()
    try await eventually("the link is open") { await lane.isOpen }
    return lane
  }

  @Test("replies that come torn, nested, empty or large are read, in the order of their commands")
  func replies() async throws {
    let large = String(repeating: "x", count: 300_000)
    let many = (0..<5_000).map { ":\($0)\r\n" }.joined()
    let answers =
      "*2\r\n$3\r\none\r\n*3\r\n:7\r\n$-1\r\n+two\r\n" + "-ERR no\r\n" + "$-1\r\n"
      + "$300000\r\n\(large)\r\n" + "*5000\r\n\(many)" + "*0\r\n" + ":5\r\n"
    // The first part of them byte by byte.
    let peer = try Peer(["+PONG\r\n", answers], tornBytes: 80)
    let lane = try await opened(peer)
    for command in ["A", "B", "C", "D", "E", "F", "G"] { await lane.send(command) }
    try await eventually("all are answered") { await lane.said.count == 7 }
    let numbers = (0..<5_000).map { "\($0)" }.joined(separator: " ")
    #expect(
      await lane.said == [
        "A: [one [7 nil two]]", "B: error ERR no", "C: nil", "D: \(large)", "E: [\(numbers)]",
        "F: 0", "G: 5",
      ])
    await lane.close()
    peer.stop()
  }

  @Test(
    "a peer that breaks the protocol loses the link, each command once, and is tried again",
    arguments: ["what is this\r\n", "*1\r\n*1\r\n!\r\n", ":1\r\n:2\r\n:3\r\n"])
  func badPeer(answer: String) async throws {
    let peer = try Peer(["+PONG\r\n", answer])
    let lane = try await opened(peer)
    await lane.send("A")
    if !answer.hasPrefix(":") { await lane.send("B") }
    try await eventually("the peer is tried again") { peer.accepted > 1 }
    let expected = answer.hasPrefix(":") ? ["A: 1"] : ["A: lost", "B: lost"]
    #expect(await lane.said == expected)
    await lane.close()
    peer.stop()
  }

  @Test("a completion that gives the link up still reads its reply; those behind it are lost")
  func dropInside() async throws {
    let peer = try Peer(["+PONG\r\n", "$5\r\nfirst\r\n+second\r\n"])
    let lane = try await opened(peer)
    await lane.send("A", thenDrop: "enough")
    await lane.send("B")
    try await eventually("both have ended") { await lane.said.count == 2 }
    #expect(await lane.said == ["A: first", "B: lost"])
    try await eventually("the peer is tried again") { peer.accepted > 1 }
    await lane.close()
    peer.stop()
  }

  @Test("where nobody listens the reason is the system's, and a command is lost at once")
  func nobody() async throws {
    let peer = try Peer([])
    peer.stop()
    let lane = try Lane(port: peer.port)
    await lane.start()
    try await eventually("the reason is known") {
      await lane.isRefused
    }
    await lane.send("A")
    #expect(await lane.said == ["A: lost"])
    await lane.close()
  }
}

/// Answers each thing that it reads on a connection with the next of its texts, and then no more.
private struct Peer {
  private let listener: LoopbackListener

  var port: UInt16 { listener.port }
  var accepted: Int { listener.accepted }

  /// - Parameter tornBytes: so many bytes of the last text are sent one by one.
  init(_ texts: [String], tornBytes: Int = 0) throws {
    listener = try LoopbackListener()
    listener.serve { client in
      defer { close(client) }
      var one: Int32 = 1
      setsockopt(
        client, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
      var bytes = [UInt8](repeating: 0, count: 4_096)
      var left = texts[...]
      while recv(client, &bytes, bytes.count, 0) > 0 {
        guard let text = left.popFirst().map({ Array($0.utf8) }) else { continue }
        let torn = left.isEmpty ? min(tornBytes, text.count) : 0
        for place in 0..<torn {
          guard LoopbackListener.send(text[place...place], to: client) else { return }
          usleep(200)
        }
        guard LoopbackListener.send(text[torn...], to: client) else { return }
      }
    }
  }

  func stop() { listener.stop() }
}
