import Harness
import Testing
import Wire

@testable import RPC

/// Peers that ask and do not read.
@Suite("Unread replies")
struct UnreadReplyTests {
  /// The reply to an unknown method is about a hundred bytes long, and comes at once.
  private static let unknown = String(repeating: "m", count: 10)

  @Test("a peer that asks on without reading is not read from; when it reads, nothing is missing")
  func heldUp() async throws {
    let lane = try ServerLane()
    let port = try await lane.start()
    let peer = RawPeer(port: port, receiveBytes: 4_096)
    let calls: UInt64 = 100_000
    // 10 MB of replies.  The sender blocks on a server that reads no more, so it runs beside the test:
    // it only writes to the socket, and the test only reads from it.
    nonisolated(unsafe) let writer = peer
    let sender = Task.detached {
      for first in stride(from: 1, through: calls, by: 1_000) {
        writer.send((first..<first + 1_000).flatMap { RawPeer.frame($0, Self.unknown) })
      }
    }
    // The kernel may take all the replies: then only the frames that wait are held.
    var (before, unchanged, most) = (0, 0, 0)
    try await eventually("nothing more is read") {
      let now = await lane.held.bytes
      unchanged = now > 0 && now == before ? unchanged + 1 : 0
      (before, most) = (now, max(most, now))
      return unchanged == 20
    }
    // One pass goes on to the end of a reply, and keeps what it has read.
    #expect(most < RPCLimits.heldUpReplyBytes + 2 * RPCLimits.readBytesPerPass)
    let other = RawPeer(port: port)
    other.send(RawPeer.frame(1, ConnectionTests.health))
    #expect(try other.reply()?.callID == 1)
    for id in 1...calls {
      let reply = try #require(try peer.reply())
      try #require(reply.callID == id && reply.status?.code == .unimplemented)
    }
    await sender.value
    #expect(await lane.held.bytes == 0)
    #expect(await lane.connectionCount == 2)
    await lane.stop()
  }

  @Test("calls in flight may leave more unread, but not without end")
  func cutOff() async throws {
    let lane = try ServerLane()
    let port = try await lane.start()
    let (deaf, slow) = (RawPeer(port: port, receiveBytes: 4_096), RawPeer(port: port))
    for (peer, count) in [(deaf, 100), (slow, 20)] as [(RawPeer, UInt64)] {
      peer.send((1...count).flatMap { RawPeer.frame($0, GetStockRequest.method) })
    }
    try await eventually("all wait") { await lane.waitingCount == 120 }
    // 18 MB for one, which the kernel takes a part of; 4 MB for the other.
    await lane.answerBackwards(padding: 180_000)
    try await eventually("the one is closed") { await lane.connectionCount == 1 }
    for _ in 1...20 { #expect(try slow.reply()?.status == nil) }
    #expect(await lane.held.bytes == 0)
    await lane.stop()
  }
}
