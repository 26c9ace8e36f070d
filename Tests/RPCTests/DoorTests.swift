import Glibc
import Harness
import Logging
import Loop
import Testing
import Wire

@testable import RPC

/// How connections come in and go out.
@Suite("The door")
struct DoorTests {
  /// Accepts, and notes how many came in each pass.
  private actor Doorman {
    private let executor = LoopExecutor(label: "test.door")
    private let loop: EventLoop
    private let passes = Passes()
    private var listener: Listener?
    private var guests: [RawPeer] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init() throws { loop = try EventLoop(on: executor) }

    private final class Passes: EndOfPass {
      var counts: [Int] = []
      var current = 0

      func endOfPass() {
        counts.append(current)
        current = 0
      }
    }

    /// Listens, but looks at nothing before `count` guests wait at the door.
    func open(for count: Int) throws {
      let made = try Listener(
        on: Address(host: "127.0.0.1", port: 0), access: SocketAccess(), loop: loop,
        accepted: { [passes, loop] fd in
          close(fd)
          passes.current += 1
          if passes.current == 1 { loop.putOff(passes) }
        }, failed: { _ in })
      listener = made
      guard case .tcp(_, let port) = made.address else { return }
      guests = (0..<count).map { _ in RawPeer(port: port) }
    }

    var counts: [Int] { passes.counts }

    func stop() {
      listener?.close()
      loop.stop()
    }
  }

  @Test("a crowd comes in by 64 a pass, so that those inside are looked at in between")
  func accepts() async throws {
    let door = try Doorman()
    try await door.open(for: 150)
    try await eventually("all are in") { await door.counts.reduce(0, +) == 150 }
    #expect(await door.counts == [64, 64, 22])
    await door.stop()
  }

  @Test("one connection of a peer too many is told why, and closed; another peer still comes in")
  func perPeer() async throws {
    let lane = try ServerLane()
    var terms = Server.Terms()
    terms.connectionsPerPeerMax = 2
    let port = try await lane.start(terms: terms)
    let inside = [RawPeer(port: port), RawPeer(port: port)]
    for peer in inside {
      peer.send(RawPeer.frame(1, ConnectionTests.health))
      #expect(try peer.reply()?.callID == 1)
    }
    let refused = RawPeer(port: port)
    #expect(try refused.refusal() == "you have too many connections (connections-per-peer-max: 2)")
    #expect(refused.isClosedByPeer)
    let other = RawPeer(port: port, from: "127.0.0.2")
    other.send(RawPeer.frame(1, ConnectionTests.health))
    #expect(try other.reply()?.callID == 1)
    await lane.stop()
  }

  @Test("a client that is not taken says what the server said, and that nothing has happened")
  func refusedClient() async throws {
    let lane = try ServerLane()
    var terms = Server.Terms()
    terms.connectionsMax = 1
    let port = try await lane.start(terms: terms)
    let inside = RawPeer(port: port)
    inside.send(RawPeer.frame(1, ConnectionTests.health))
    #expect(try inside.reply()?.callID == 1)
    var options = StockClient.Options()
    options.waitsForServer = false
    let client = StockClient(to: Address(host: "127.0.0.1", port: port), options: options)
    do {
      _ = try await client.call(HealthCheckRequest())
      Issue.record("it was taken")
    } catch {
      #expect(error.reason == "UNREACHABLE" && error.retryable && !error.outcomeUnknown)
      #expect(error.message.contains("(connections-max: 1)"), "\(error.message)")
    }
    await client.close()
    await lane.stop()
  }

  @Test("a connection that ends after a notice is lost for the reason that was said")
  func reasonOfNotice() async throws {
    let server = try RawServer()
    var options = StockClient.Options()
    options.retry = .never
    let client = StockClient(to: server.address, options: options)
    async let end = outcome(of: client)
    server.accept()
    let hello = try #require(try server.call())
    server.greet(hello.id)
    _ = try server.call()
    server.goAway("it is late", closeAfterMs: 10_000)
    server.hangUp()
    let status = try #require(await end)
    #expect(status.reason == "CONNECTION_LOST" && status.message.contains("it is late"))
    await client.close()
  }

  private func outcome(of client: StockClient) async -> Status? {
    do {
      _ = try await client.call(GetStockRequest(sku: "x"), timeoutMs: 3_000)
      return nil
    } catch {
      return error
    }
  }

  @Test("by default no single peer can take every connection")
  func standard() {
    let terms = Server.Terms()
    #expect(terms.connectionsPerPeerMax == 1_000)
    #expect(terms.connectionsPerPeerMax * 10 <= terms.connectionsMax)
  }

  /// One channel over a pair of sockets.
  private actor Outlet: ByteChannel.Owner {
    private let executor = LoopExecutor(label: "test.channel")
    private let loop: EventLoop
    private var channel: ByteChannel?

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init() throws { loop = try EventLoop(on: executor) }

    nonisolated func received(_ payload: UnsafeRawBufferPointer) throws(FrameError) {}
    nonisolated func drained() {}
    nonisolated func heldChanged() {}
    nonisolated func closed(_ reason: String?) {}

    /// Appends, and closes in the same breath.
    func say(_ text: String, on fd: Int32) throws {
      let channel = try ByteChannel(
        fd: fd, connecting: false, on: loop, scratch: ReadScratch())
      channel.output.append(text)
      channel.flush()
      channel.close("the end")
      #expect(channel.isClosed)
      loop.stop()
    }
  }

  @Test("what was said before a channel is closed is still sent, once")
  func lastWords() async throws {
    var ends: [Int32] = [0, 0]
    #expect(
      socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends)
        == 0)
    defer { close(ends[1]) }
    try await Outlet().say("goodbye", on: ends[0])
    var heard = [UInt8](repeating: 0, count: 100)
    #expect(recv(ends[1], &heard, heard.count, 0) == 7)
    #expect(String(decoding: heard[..<7], as: UTF8.self) == "goodbye")
    #expect(recv(ends[1], &heard, heard.count, 0) == 0, "and then the end")
  }
}
