import Harness
import Testing
import Wire

@testable import RPC

/// The Swift client against servers that answer late, go away or are not there.
@Suite("Client")
struct ClientTests {
  private var never: StockClient.Options {
    var options = StockClient.Options()
    options.retry = .never
    options.waitsForServer = false
    return options
  }

  @Test("a client tells a call that never left from one that may have happened")
  func failures() async throws {
    let nobody = StockClient(to: Address(host: "127.0.0.1", port: freePort()), options: never)
    do throws(Status) {
      _ = try await nobody.call(HealthCheckRequest())
      Issue.record("nobody listens")
    } catch {
      #expect(error.reason == "UNREACHABLE" && !error.outcomeUnknown && error.retryable)
    }
    let lane = try ServerLane()
    let client = StockClient(
      to: Address(host: "127.0.0.1", port: try await lane.start()), options: never)
    async let lost = client.call(GetStockRequest(sku: "x"))
    try await eventually("the call waits") { await lane.waitingCount == 1 }
    await lane.stop()
    do {
      _ = try await lost
      Issue.record("nobody answered")
    } catch let status as Status {
      #expect(status.reason == "CONNECTION_LOST" && status.outcomeUnknown)
    }
    await client.close()
    await nobody.close()
  }

  @Test("a call that the server forgets ends by itself, with its outcome unknown")
  func noAnswer() async throws {
    let lane = try ServerLane()
    let client = StockClient(
      to: Address(host: "127.0.0.1", port: try await lane.start()), options: never)
    do throws(Status) {
      _ = try await client.call(GetStockRequest(sku: "x"), timeoutMs: 50)
      Issue.record("nobody answered")
    } catch {
      #expect(error.code == .deadlineExceeded && error.outcomeUnknown)
    }
    await client.close()
    await lane.stop()
  }

  @Test("a call waits for a server that comes later, and its connection is made again")
  func waits() async throws {
    let port = freePort()
    let address = Address(host: "127.0.0.1", port: port)
    let client = StockClient(to: address)
    async let early = client.call(HealthCheckRequest(), timeoutMs: 20_000)
    let first = try ServerLane()
    _ = try await first.start(on: [address])
    #expect(try await early.status == .serving)
    await first.stop()
    let second = try ServerLane()
    _ = try await second.start(on: [address])
    #expect(try await client.call(HealthCheckRequest(), timeoutMs: 20_000).status == .serving)
    await client.close()
    await second.stop()
  }

  @Test("a call that was lost is made again, unchanged, on another server")
  func failover() async throws {
    let (one, other) = (try ServerLane(), try ServerLane())
    let client = StockClient(
      to: Address(host: "127.0.0.1", port: try await one.start()),
      Address(host: "127.0.0.1", port: try await other.start()))
    async let answer = client.call(GetStockRequest(sku: "x"), timeoutMs: 20_000)
    try await eventually("the call waits at the first") { await one.waitingCount == 1 }
    await one.stop()
    try await eventually("the call waits at the second") { await other.waitingCount == 1 }
    await other.answerBackwards()
    #expect(try await answer.outcome == .unknownSKU)
    await client.close()
    await other.stop()
  }

  @Test("a server that drains loses no call of a client that is told")
  func drain() async throws {
    let (one, other) = (try ServerLane(), try ServerLane())
    let ports = (try await one.start(), try await other.start())
    let client = StockClient(
      to: Address(host: "127.0.0.1", port: ports.0), Address(host: "127.0.0.1", port: ports.1))
    async let slow = client.call(GetStockRequest(sku: "x"), timeoutMs: 20_000)
    try await eventually("the call waits") { await one.waitingCount == 1 }
    await one.beginToDrain()
    for _ in 0..<20 { #expect(try await client.call(HealthCheckRequest()).status == .serving) }
    #expect(await one.waitingCount == 1, "the first still owes its answer")
    await one.answerBackwards()
    #expect(try await slow.outcome == .unknownSKU)
    try await eventually("the client has left") { await one.connectionCount == 0 }
    await client.close()
    await one.stop()
    await other.stop()
  }

  @Test("cancelling the task stops the call at the server, and only that call")
  func cancel() async throws {
    let lane = try ServerLane()
    let client = StockClient(to: Address(host: "127.0.0.1", port: try await lane.start()))
    _ = try await client.call(HealthCheckRequest())
    let stopped = Task { try await client.call(GetStockRequest(sku: "x")) }
    let other = Task { try await client.call(GetStockRequest(sku: "y")) }
    try await eventually("both wait") { await lane.waitingCount == 2 }
    stopped.cancel()
    do {
      _ = try await stopped.value
      Issue.record("it was stopped")
    } catch let status as Status {
      #expect(status.code == .cancelled && !status.outcomeUnknown)
    }
    #expect(await lane.cancelledCount == 1)
    #expect(await lane.waitingCount == 1)
    await lane.answerBackwards()
    #expect(try await other.value.outcome == .unknownSKU)
    await client.close()
    await lane.stop()
  }

  @Test("cancelling a call that is not in flight does nothing")
  func cancelNothing() async throws {
    let lane = try ServerLane()
    let peer = RawPeer(port: try await lane.start())
    var message = ByteBuffer()
    CancelCallRequest(callID: 77).encode(into: &message, arena: Arena())
    peer.send(RawPeer.frame(1, CancelCallRequest.method, Array(message.readable)))
    let reply = try #require(try peer.message())
    let found = try reply.withUnsafeBytes { try CancelCallReply($0, arena: Arena()).found }
    #expect(!found)
    await lane.stop()
  }

  @Test(
    "versions: the highest that both speak",
    arguments: [(1...1, 1), (1...2, 2), (2...9, 2), (3...9, nil), (1...9, 2)]
      as [(ClosedRange<UInt32>, UInt32?)])
  func versions(asked: ClosedRange<UInt32>, expected: UInt32?) async throws {
    let lane = try ServerLane()
    let client = StockClient(to: Address(host: "127.0.0.1", port: try await lane.start()))
    do throws(Status) {
      let reply = try await client.call(HelloRequest(client: "test", versions: asked))
      #expect(reply.version == expected)
      #expect(reply.limits.callsInFlightMax == UInt32(RPCLimits.callsInFlightMax))
    } catch {
      #expect(expected == nil && error.reason == "PROTOCOL_UNSUPPORTED")
    }
    await client.close()
    await lane.stop()
  }

  @Test("a name that nobody knows is said as such")
  func unknownName() async throws {
    var options = StockClient.Options()
    options.waitsForServer = false
    let client = StockClient(to: Address(host: "nobody.invalid", port: 1), options: options)
    do throws(Status) {
      _ = try await client.call(HealthCheckRequest())
      Issue.record("there is none")
    } catch {
      #expect(error.reason == "UNREACHABLE" && error.message.contains("nobody.invalid: "))
      #expect(!error.message.contains("No such file"), "\(error)")
    }
    await client.close()
  }

  @Test("a server of other versions: the call that was sent with the question is refused, not lost")
  func otherVersions() async throws {
    let lane = try ServerLane()
    let peer = RawPeer(port: try await lane.start())
    func ask(_ id: UInt64, _ request: some RequestMessage) throws -> Status? {
      var message = ByteBuffer()
      request.encode(into: &message, arena: Arena())
      peer.send(RawPeer.frame(id, type(of: request).method, Array(message.readable)))
      return try #require(try peer.reply()).status
    }
    let reason = "PROTOCOL_UNSUPPORTED"
    #expect(try ask(1, HelloRequest(client: "test", versions: 3...9))?.reason == reason)
    #expect(try ask(2, HealthCheckRequest())?.reason == reason)
    #expect(try ask(3, HelloRequest(client: "test", versions: 2...9)) == nil)
    #expect(try ask(4, HealthCheckRequest()) == nil, "it has asked better")
    await lane.stop()

    let server = try RawServer()
    let client = StockClient(to: server.address)
    let lost = Task { try await client.call(HealthCheckRequest()) }
    server.accept()
    let hello = try #require(try server.call())
    #expect(hello.method == HelloRequest.method)
    server.refuse(hello.id, Status(.failedPrecondition, reason: reason, message: "3 to 3."))
    do {
      _ = try await lost.value
      Issue.record("it has no version in common")
    } catch let status as Status {
      #expect(status.reason == reason && !status.outcomeUnknown, "\(status)")
      #expect(status.message == "3 to 3. Spoken here are 1 to 2.")
    }
    await client.close()
  }

  @Test("metadata: the request id comes back, observers see it, identity may refuse")
  func chain() async throws {
    let lane = try ServerLane()
    let port = try await lane.start()
    let client = StockClient(to: Address(host: "127.0.0.1", port: port))
    _ = try await client.call(HealthCheckRequest(), metadata: ["x-request-id": "r-1"])
    do throws(Status) {
      _ = try await client.call(HealthCheckRequest(), metadata: ["token": "no"])
      Issue.record("refused")
    } catch {
      #expect(error.code == .permissionDenied)
    }
    #expect(await lane.observed == ["r-1 OK", "- PERMISSION_DENIED"])
    await client.close()
    await lane.stop()
  }
}
