import Harness
import Testing

@testable import RPC
@testable import Wire

/// Bytes over real sockets, good and bad.
@Suite("Connections")
struct ConnectionTests {
  static let health = HealthCheckRequest.method

  @Test("whole, byte by byte and merged frames are answered alike", arguments: [1, 3, 1_000])
  func pieces(piece: Int) async throws {
    let lane = try ServerLane()
    let peer = RawPeer(port: try await lane.start())
    let bytes = (1...3).flatMap { RawPeer.frame(UInt64($0), Self.health) }
    for start in stride(from: 0, to: bytes.count, by: piece) {
      peer.send(Array(bytes[start..<min(start + piece, bytes.count)]))
    }
    for id in 1...3 {
      let reply = try #require(try peer.reply())
      #expect(reply.callID == UInt64(id) && reply.status == nil)
    }
    await lane.stop()
  }

  @Test(
    "what is not a frame closes that connection, and no other",
    arguments: [
      [0xFF, 0xFF, 0xFF, 0xFF],  // four gigabytes
      [0x00, 0x20, 0x00, 0x01],  // one byte over the limit
      Array("GET / HTTP/1.1\r\n\r\n".utf8),
      [0, 0, 0, 2, 0xFF, 0xFF],  // not protobuf
      [0, 0, 0, 0],  // no call id
    ] as [[UInt8]])
  func garbage(bytes: [UInt8]) async throws {
    let lane = try ServerLane()
    let port = try await lane.start()
    let (bad, good) = (RawPeer(port: port), RawPeer(port: port))
    bad.send(bytes)
    #expect(bad.isClosedByPeer)
    good.send(RawPeer.frame(1, Self.health))
    #expect(try good.reply()?.callID == 1)
    await lane.stop()
  }

  @Test("garbage behind a good call closes the connection after the call's answer")
  func garbageBehindCall() async throws {
    let lane = try ServerLane()
    let peer = RawPeer(port: try await lane.start())
    peer.send(RawPeer.frame(1, Self.health) + [0xFF, 0xFF, 0xFF, 0xFF])
    #expect(try peer.reply()?.callID == 1)
    #expect(peer.isClosedByPeer)
    await lane.stop()
  }

  @Test("a peer that leaves in the middle of a frame is forgotten")
  func truncated() async throws {
    let lane = try ServerLane()
    do {
      let peer = RawPeer(port: try await lane.start())
      peer.send(Array(RawPeer.frame(1, Self.health).dropLast(3)))
      try await eventually("the connection is there") { await lane.connectionCount == 1 }
    }
    try await eventually("the connection is gone") { await lane.connectionCount == 0 }
    await lane.stop()
  }

  @Test("an unknown method is UNIMPLEMENTED, and the connection goes on")
  func unknownMethod() async throws {
    let lane = try ServerLane()
    let peer = RawPeer(port: try await lane.start())
    for method in ["stock.v1.Reservations/Steal", "", String(repeating: "x", count: 10_000)] {
      peer.send(RawPeer.frame(7, method))
      #expect(try peer.reply()?.status?.code == .unimplemented)
    }
    peer.send(RawPeer.frame(8, Self.health))
    #expect(try peer.reply()?.callID == 8)
    await lane.stop()
  }

  @Test("many calls in flight, answered in any order")
  func anyOrder() async throws {
    let lane = try ServerLane()
    let peer = RawPeer(port: try await lane.start())
    peer.send((1...5).flatMap { RawPeer.frame($0, GetStockRequest.method) })
    peer.send(RawPeer.frame(6, Self.health))
    #expect(try peer.reply()?.callID == 6, "a quick call does not wait for slow ones")
    try await eventually("five calls wait") { await lane.waitingCount == 5 }
    await lane.answerBackwards()
    let order = try (1...5).compactMap { _ in try peer.reply()?.callID }
    #expect(order == [5, 4, 3, 2, 1])
    await lane.stop()
  }

  @Test("more calls in flight than the limit: RESOURCE_EXHAUSTED, the others unharmed")
  func callsInFlight() async throws {
    let lane = try ServerLane()
    let peer = RawPeer(port: try await lane.start())
    let limit = RPCLimits.callsInFlightMax
    peer.send((1...(limit + 1)).flatMap { RawPeer.frame(UInt64($0), GetStockRequest.method) })
    let refused = try #require(try peer.reply())
    #expect(refused.callID == UInt64(limit + 1))
    #expect(refused.status?.code == .resourceExhausted && refused.status?.retryable == true)
    try await eventually("the others wait") { await lane.waitingCount == limit }
    await lane.answerBackwards()
    #expect(try peer.reply()?.callID == UInt64(limit))
    await lane.stop()
  }

  @Test("one connection too many is told why, and closed; when one leaves, another may come")
  func connectionLimit() async throws {
    let lane = try ServerLane()
    var terms = Server.Terms()
    terms.connectionsMax = 2
    let port = try await lane.start(terms: terms)
    var peers = [RawPeer(port: port), RawPeer(port: port)]
    for peer in peers {
      peer.send(RawPeer.frame(1, Self.health))
      #expect(try peer.reply()?.callID == 1)
    }
    let refused = RawPeer(port: port)
    refused.send(RawPeer.frame(1, Self.health))
    #expect(try refused.refusal() == "there are too many connections (connections-max: 2)")
    peers.removeLast()
    try await eventually("one has left") { await lane.connectionCount == 1 }
    let next = RawPeer(port: port)
    next.send(RawPeer.frame(1, Self.health))
    #expect(try next.reply()?.callID == 1)
    await lane.stop()
  }

  @Test("draining answers what is in flight, refuses what comes, and closes")
  func drain() async throws {
    let lane = try ServerLane()
    let port = try await lane.start()
    let (busy, idle) = (RawPeer(port: port), RawPeer(port: port))
    busy.send(RawPeer.frame(1, GetStockRequest.method))
    try await eventually("the call waits") { await lane.waitingCount == 1 }
    try await eventually("both are connected") { await lane.connectionCount == 2 }
    await lane.beginToDrain()
    #expect(try idle.reply()?.callID == 0, "the notice")
    #expect(idle.isClosedByPeer)
    #expect(try busy.reply()?.callID == 0, "the notice")
    busy.send(RawPeer.frame(2, Self.health))
    let refused = try #require(try busy.reply())
    #expect(refused.callID == 2 && refused.status?.reason == "SHUTTING_DOWN")
    await lane.answerBackwards()
    #expect(try busy.reply()?.callID == 1)
    #expect(busy.isClosedByPeer)
    await lane.stop()
  }

  @Test(
    "32 headers and not one more, whatever the method",
    arguments: [health, PingRequest.method, CancelCallRequest.method, "no/ne"])
  func manyHeaders(method: String) async throws {
    let lane = try ServerLane()
    let peer = RawPeer(port: try await lane.start())
    var metadata = Metadata()
    for number in 1...32 { metadata.entries.append(.init(key: "k\(number)", value: "v")) }
    peer.send(RawPeer.frame(1, method, metadata: metadata))
    #expect(try peer.reply()?.status?.field != "metadata")
    metadata.entries.append(.init(key: "k33", value: "v"))
    peer.send(RawPeer.frame(2, method, metadata: metadata))
    let refused = try #require(try peer.reply()?.status)
    #expect(refused.code == .invalidArgument && refused.field == "metadata")
    await lane.stop()
  }

  @Test("a header of more fields than a message may have closes the connection")
  func manyFieldsInside() async throws {
    let lane = try ServerLane()
    let peer = RawPeer(port: try await lane.start())
    let inside = (0..<65).flatMap { _ in [0x0A, 0x00] as [UInt8] }
    let payload: [UInt8] = [0x08, 0x01, 0x22, 0x82, 0x01] + inside
    peer.send([0, 0, 0, UInt8(payload.count)] + payload)
    #expect(peer.isClosedByPeer)
    await lane.stop()
  }

  @Test("a second call under an id that is in flight closes the connection, and nothing else")
  func duplicateID() async throws {
    let lane = try ServerLane()
    let port = try await lane.start()
    let peer = RawPeer(port: port)
    peer.send(RawPeer.frame(1, GetStockRequest.method) + RawPeer.frame(1, Self.health))
    #expect(peer.isClosedByPeer)
    try await eventually("the call is stopped") { await lane.cancelledCount == 1 }
    let good = RawPeer(port: port)
    good.send(RawPeer.frame(1, Self.health))
    #expect(try good.reply()?.callID == 1)
    await lane.stop()
  }

  @Test(
    "a request id comes back up to its limit; a longer one is left out, and harms nobody",
    arguments: [256, 257, 700_000])
  func requestID(bytes: Int) async throws {
    let lane = try ServerLane()
    let peer = RawPeer(port: try await lane.start())
    // Not UTF-8: it must be replaced in no time, however long.
    let repaired = bytes > 1_000
    func field(_ number: UInt8, _ value: [UInt8]) -> [UInt8] {
      var length = ByteBuffer()
      length.append(varint: UInt64(value.count))
      return [number << 3 | 2] + Array(length.readable) + value
    }
    let id = [UInt8](repeating: repaired ? 0xFF : UInt8(ascii: "r"), count: bytes)
    let header = field(1, Array(Metadata.requestIDKey.utf8)) + field(2, id)
    let payload = [0x08, 0x01] + field(2, Array(Self.health.utf8)) + field(4, header)
    peer.send(withUnsafeBytes(of: UInt32(payload.count).bigEndian) { Array($0) } + payload)
    let reply = try #require(peer.response())
    let metadata = try reply.withUnsafeBytes { try ResponseEnvelope($0, arena: Arena()).metadata }
    #expect((metadata[Metadata.requestIDKey] != nil) == (bytes <= Metadata.requestIDBytesMax))
    peer.send(RawPeer.frame(2, Self.health))
    #expect(try peer.reply()?.callID == 2)
    await lane.stop()
  }
}
