import Harness
import Testing
import Wire

@testable import RPC

/// Streams over real sockets.
@Suite("Streams")
struct StreamTests {
  private func client(_ lane: ServerLane) async throws -> StockClient {
    StockClient(to: Address(host: "127.0.0.1", port: try await lane.start()))
  }

  @Test("every item arrives, in order, whatever the window", arguments: [1, 1_000, 0] as [UInt32])
  func inOrder(window: UInt32) async throws {
    let lane = try ServerLane()
    let client = try await client(lane)
    var expected: UInt64 = 0
    for try await item in try await client.stream(CountRequest(last: 2_000), windowBytes: window) {
      expected += 1
      #expect(item.number == expected)
    }
    #expect(expected == 2_000)
    await client.close()
    await lane.stop()
  }

  @Test("a reader that stops reading stops the server at its window")
  func slowReader() async throws {
    let lane = try ServerLane()
    let client = try await client(lane)
    let stream = try await client.stream(
      CountRequest(last: 100_000, padding: 936), windowBytes: 16_000)
    var iterator = stream.makeAsyncIterator()
    #expect(try await iterator.next()?.number == 1)
    // 8 + 936 + 64 bytes an item: the window takes 16, and the reader has taken one.
    try await eventually("the window is used") { await lane.streams.first?.sent == 16 }
    for number in 2...10 as ClosedRange<UInt64> {
      #expect(try await iterator.next()?.number == number)
    }
    try await eventually("half of the window has been granted") {
      await lane.streams.first.map { (24...26).contains($0.sent) } == true
    }
    _ = try await client.call(HealthCheckRequest())
    #expect(await lane.streams.first?.ended == false)
    await client.close()
    await lane.stop()
  }

  @Test("a stream that is dropped, or whose client goes, ends at the server")
  func dropped() async throws {
    let lane = try ServerLane()
    let client = try await client(lane)
    do {
      let stream = try await client.stream(CountRequest(last: .max), windowBytes: 1_000)
      var iterator = stream.makeAsyncIterator()
      #expect(try await iterator.next()?.number == 1)
    }
    try await eventually("the first has ended") { await lane.streams.first?.ended == true }
    let stream = try await client.stream(CountRequest(last: .max), windowBytes: 1_000)
    var iterator = stream.makeAsyncIterator()
    #expect(try await iterator.next()?.number == 1)
    await client.close()
    try await eventually("the second has ended") { await lane.streams.last?.ended == true }
    await #expect(throws: (any Error).self) {
      for try await _ in stream {}
    }
    await lane.stop()
  }

  @Test(
    "a stream with a timeout ends when it has passed; one without stays, and so does the connection"
  )
  func deadline() async throws {
    let lane = try ServerLane()
    let peer = RawPeer(port: try await lane.start())
    var message: [UInt8] = []
    withUnsafeBytes(of: CountRequest(last: .max, padding: 100_000)) { message = Array($0) }
    peer.send(RawPeer.frame(1, CountRequest.method, message))
    #expect(try peer.reply()?.callID == 1, "one item, and the window is used")
    peer.send(RawPeer.frame(2, CountRequest.method, message, timeoutMs: 50))
    #expect(try peer.reply()?.callID == 2, "one item")
    let end = try #require(try peer.reply())
    #expect(end.callID == 2 && end.status?.reason == "DEADLINE")
    #expect(await lane.streams.map(\.ended) == [false, true])
    peer.send(RawPeer.frame(3, ConnectionTests.health))
    #expect(try peer.reply()?.callID == 3)
    await lane.stop()
  }

  @Test("draining ends streams with SHUTTING_DOWN")
  func drain() async throws {
    let lane = try ServerLane()
    let client = try await client(lane)
    let stream = try await client.stream(CountRequest(last: .max), windowBytes: 1_000)
    var iterator = stream.makeAsyncIterator()
    #expect(try await iterator.next()?.number == 1)
    await lane.beginToDrain()
    do {
      while try await iterator.next() != nil {}
      Issue.record("the stream ended in order")
    } catch let status as Status {
      #expect(status.reason == "SHUTTING_DOWN" && status.retryable)
    }
    await client.close()
    await lane.stop()
  }

  @Test(
    "a reader that grants much and takes nothing from its socket costs no more than the backlog")
  func grantsWithoutReading() async throws {
    let lane = try ServerLane()
    let peer = RawPeer(port: try await lane.start())
    var message: [UInt8] = []
    withUnsafeBytes(of: CountRequest(last: .max, padding: 10_000)) { message = Array($0) }
    peer.send(RawPeer.frame(1, CountRequest.method, message))
    for id in 2...2_000 as ClosedRange<UInt64> {
      var credit = ByteBuffer()
      CreditRequest(callID: 1, bytes: .max).encode(into: &credit, arena: Arena())
      peer.send(RawPeer.frame(id, CreditRequest.method, Array(credit.readable)))
    }
    peer.send(RawPeer.frame(3_000, ConnectionTests.health))
    // The kernel's buffers take some megabytes; the server itself keeps the backlog and one item.
    var (last, unchanged) = (UInt64(0), 0)
    try await eventually("the stream waits") {
      let sent = await lane.streams.first?.sent ?? 0
      unchanged = sent == last && sent > 0 ? unchanged + 1 : 0
      last = sent
      return unchanged == 10
    }
    #expect(await lane.streams.first!.sent < 2_000)
    #expect(await lane.connectionCount == 1, "it is not cut off for what it granted")
    await lane.stop()
  }

  @Test("streams that waited for the socket go on when their peer reads at last")
  func readsAtLast() async throws {
    let lane = try ServerLane()
    let peer = RawPeer(port: try await lane.start())
    let request = CountRequest(last: 1_000, padding: 10_000)
    var message: [UInt8] = []
    withUnsafeBytes(of: request) { message = Array($0) }
    for id in 1...3 as ClosedRange<UInt64> {
      peer.send(RawPeer.frame(id, CountRequest.method, message))
      // More than the window may ever be: only the socket holds the streams back.
      for more in 1...12 as ClosedRange<UInt64> {
        var credit = ByteBuffer()
        CreditRequest(callID: id, bytes: .max).encode(into: &credit, arena: Arena())
        peer.send(
          RawPeer.frame(1_000 * id + more, CreditRequest.method, Array(credit.readable)))
      }
    }
    var replies: [UInt64: Int] = [:]
    var sinceCredit = 0
    while (1...3).contains(where: { replies[$0, default: 0] < 1_001 }) {
      let reply = try #require(try peer.reply(), "the server has stopped: \(replies)")
      replies[reply.callID, default: 0] += 1
      sinceCredit += 1
      guard sinceCredit == 20 else { continue }
      sinceCredit = 0
      for id in 1...3 as ClosedRange<UInt64> {
        var credit = ByteBuffer()
        CreditRequest(callID: id, bytes: 300_000).encode(into: &credit, arena: Arena())
        peer.send(RawPeer.frame(9_000, CreditRequest.method, Array(credit.readable)))
      }
    }
    await lane.stop()
  }
}
