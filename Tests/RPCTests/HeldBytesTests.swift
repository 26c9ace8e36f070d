import Harness
import Testing
import Wire

@testable import RPC

/// The memory that all connections of a shard may hold together.
@Suite("Memory for connections")
struct HeldBytesTests {
  private static let limit = 1024 * 1024

  private func start(_ lane: ServerLane) async throws -> UInt16 {
    var terms = Server.Terms()
    terms.connectionBytesMax = Self.limit
    return try await lane.start(terms: terms)
  }

  /// A call whose request takes so many bytes.
  private func frame(_ id: UInt64, _ method: String, bytes: Int) -> [UInt8] {
    RawPeer.frame(id, method, [UInt8](repeating: 0x20, count: bytes))
  }

  @Test("unfinished frames: who has sent most is told, and closed; the others end theirs")
  func unfinished() async throws {
    let lane = try ServerLane()
    let port = try await start(lane)
    let sizes = [300_000, 400_000, 200_000]
    let frames = sizes.map { frame(1, ConnectionTests.health, bytes: $0) }
    let peers = sizes.map { _ in RawPeer(port: port) }
    for (peer, frame) in zip(peers, frames) { peer.send(Array(frame.dropLast(1))) }
    try await eventually("all is held") { await lane.held.bytes > 899_000 }
    #expect(await lane.held.shed == 0, "it fits")
    let last = RawPeer(port: port)
    last.send(Array(frame(1, ConnectionTests.health, bytes: 200_000).dropLast(1)))
    #expect(try peers[1].reply()?.callID == 0, "the notice")
    #expect(peers[1].isClosedByPeer)
    #expect(await lane.held.shed == 1)
    #expect(await lane.connectionCount == 3)
    for place in [0, 2] {
      peers[place].send([frames[place].last!])
      #expect(try peers[place].reply()?.callID == 1)
    }
    last.send([0x20])
    #expect(try last.reply()?.callID == 1)
    #expect(await lane.held.bytes == 0)
    await lane.stop()
  }

  @Test("replies that nobody reads: their connection is closed, long before its own limit")
  func unread() async throws {
    let lane = try ServerLane()
    let port = try await start(lane)
    let peer = RawPeer(port: port, receiveBytes: 4_096)
    for id in 1...40 as ClosedRange<UInt64> {
      peer.send(RawPeer.frame(id, GetStockRequest.method))
    }
    try await eventually("all wait") { await lane.waitingCount == 40 }
    // 7.2 MB; the kernel takes some of it, and one connection alone may leave 8 MiB unread.
    await lane.answerBackwards(padding: 180_000)
    try await eventually("it is closed") { await lane.held.shed == 1 }
    #expect(await lane.held.bytes == 0)
    let good = RawPeer(port: port)
    good.send(RawPeer.frame(1, ConnectionTests.health))
    #expect(try good.reply()?.callID == 1)
    await lane.stop()
  }

  @Test("requests in flight count, and are stopped with their connection")
  func inFlight() async throws {
    let lane = try ServerLane()
    let port = try await start(lane)
    let (small, large) = (RawPeer(port: port), RawPeer(port: port))
    for id in 1...2 as ClosedRange<UInt64> {
      small.send(frame(id, GetStockRequest.method, bytes: 100_000))
    }
    try await eventually("both wait") { await lane.waitingCount == 2 }
    for id in 1...9 as ClosedRange<UInt64> {
      large.send(frame(id, GetStockRequest.method, bytes: 100_000))
    }
    #expect(try large.reply()?.callID == 0, "the notice")
    // Two of one and eight of the other fit; the ninth is not even read to its end.
    try await eventually("eight are stopped") { await lane.cancelledCount == 8 }
    #expect(await lane.waitingCount == 2)
    await lane.answerBackwards()
    #expect(try small.reply()?.callID == 2)
    #expect(try small.reply()?.callID == 1)
    #expect(await lane.held.bytes == 0)
    await lane.stop()
  }

  @Test("what a peer holds is forgotten when it leaves")
  func leaves() async throws {
    let lane = try ServerLane()
    let port = try await start(lane)
    do {
      let peer = RawPeer(port: port)
      peer.send(Array(frame(1, ConnectionTests.health, bytes: 100_000).dropLast(1)))
      try await eventually("it is held") { await lane.held.bytes > 99_000 }
    }
    try await eventually("it is forgotten") { await lane.held.bytes == 0 }
    await lane.stop()
  }
}
