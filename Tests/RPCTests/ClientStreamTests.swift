import Harness
import Testing
import Wire

@testable import RPC

/// Streams of the Swift client with servers that are late, wrong or not there.
@Suite("Client streams")
struct ClientStreamTests {
  /// What a stream ended with.
  private func end(_ stream: StockStream<Count>) async -> Status? {
    do {
      for try await _ in stream {}
      return nil
    } catch {
      return error as? Status
    }
  }

  @Test("a stream that is dropped before the server has greeted is cancelled as soon as it has")
  func droppedEarly() async throws {
    let server = try RawServer()
    let client = StockClient(to: server.address)
    var stream: StockStream<Count>? = try await client.stream(CountRequest(last: .max))
    #expect(stream != nil)
    stream = nil
    server.accept()
    let hello = try #require(try server.call())
    #expect(hello.method == HelloRequest.method)
    let count = try #require(try server.call())
    #expect(count.method == CountRequest.method)
    try await eventually("the client has dropped it") { await client.openStreams == 0 }
    server.greet(hello.id)
    let cancel = try #require(try server.call())
    #expect(cancel.method == CancelCallRequest.method)
    let asked = try cancel.message.withUnsafeBytes {
      try CancelCallRequest($0, arena: Arena()).callID
    }
    #expect(asked == count.id)
    await client.close()
  }

  @Test("a server of the first version is not asked to stop a call, early or late")
  func droppedAtFirstVersion() async throws {
    let server = try RawServer()
    let client = StockClient(to: server.address)
    var stream: StockStream<Count>? = try await client.stream(CountRequest(last: .max))
    #expect(stream != nil)
    stream = nil
    server.accept()
    let hello = try #require(try server.call())
    _ = try server.call()
    try await eventually("the client has dropped it") { await client.openStreams == 0 }
    server.greet(hello.id, version: ProtocolVersion.first)
    async let health = client.call(HealthCheckRequest())
    let next = try #require(try server.call())
    #expect(next.method == HealthCheckRequest.method, "no question comes before it")
    server.answer(next.id, HealthCheckReply(status: .serving, warnings: [], version: "1"))
    #expect(try await health.status == .serving)
    await client.close()
  }

  @Test("a server that sends beyond the window is not believed: the stream and the connection end")
  func overrun() async throws {
    let server = try RawServer()
    var options = StockClient.Options()
    options.retry = .never
    let client = StockClient(to: server.address, options: options)
    let stream = try await client.stream(CountRequest(last: .max), windowBytes: 1_000)
    server.accept()
    let hello = try #require(try server.call())
    let count = try #require(try server.call())
    server.greet(hello.id)
    let lost = Task { try await client.call(GetStockRequest(sku: "x")) }
    _ = try #require(try server.call())
    // 8 + 428 + 64 bytes each: two fill the window, the third is one too many.
    for number in 1...3 as ClosedRange<UInt64> {
      server.answer(count.id, Count(number: number, padding: 428), isItem: true)
    }
    #expect(try server.call() == nil, "the client has closed the connection")
    let status = await outcome(of: { try await lost.value })
    #expect(status?.reason == "CONNECTION_LOST" && status?.outcomeUnknown == true)
    let ended = try #require(await end(stream))
    #expect(ended.reason == "WINDOW_OVERRUN" && ended.code == .internal && !ended.retryable)
    await client.close()
  }

  @Test("an item that is not the method's ends the stream, at both ends; the connection goes on")
  func malformedItem() async throws {
    let server = try RawServer()
    let client = StockClient(to: server.address)
    let stream = try await client.stream(CountRequest(last: .max))
    server.accept()
    let hello = try #require(try server.call())
    let count = try #require(try server.call())
    server.greet(hello.id)
    server.answer(count.id, Count(number: 1, padding: 0), isItem: true)
    server.answer(count.id, EmptyReply(), isItem: true)
    #expect(try server.call()?.method == CancelCallRequest.method)
    let status = try #require(await end(stream))
    #expect(status.reason == "MALFORMED_REPLY")
    async let health = client.call(HealthCheckRequest())
    let next = try #require(try server.call())
    server.answer(next.id, HealthCheckReply(status: .serving, warnings: [], version: "1"))
    #expect(try await health.status == .serving)
    await client.close()
  }

  @Test("a stream that nobody takes makes the next one try another server")
  func failover() async throws {
    let lane = try ServerLane()
    let nobody = Address(host: "127.0.0.1", port: freePort())
    let client = StockClient(to: nobody, Address(host: "127.0.0.1", port: try await lane.start()))
    let first = try await client.stream(CountRequest(last: 3))
    #expect(await end(first)?.reason == "UNREACHABLE")
    var numbers: [UInt64] = []
    for try await item in try await client.stream(CountRequest(last: 3)) {
      numbers.append(item.number)
    }
    #expect(numbers == [1, 2, 3])
    await client.close()
    await lane.stop()
  }

  @Test("while no server can be reached, streams are not tried more often than calls")
  func backOff() async throws {
    let client = StockClient(to: Address(host: "127.0.0.1", port: freePort()))
    // The pause before the fourth attempt is 40 milliseconds at least.
    for _ in 1...3 {
      try await eventually("an attempt is made") {
        guard let stream = try? await client.stream(CountRequest(last: 1)) else { return false }
        return await end(stream)?.reason == "UNREACHABLE"
      }
    }
    let status = await outcome(of: { _ = try await client.stream(CountRequest(last: 1)) })
    #expect(status?.reason == "UNREACHABLE" && status?.message.contains("is due in") == true)
    await client.close()
  }

  private func outcome<Value>(of call: () async throws -> Value) async -> Status? {
    do {
      _ = try await call()
      return nil
    } catch {
      return error as? Status
    }
  }
}
