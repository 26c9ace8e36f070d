import Harness
import Loop
import Testing
import Wire

@testable import RPC

/// When a call is over, by what its caller says in two ways.
@Suite("Deadlines")
struct CallDeadlineTests {
  private static let ms: UInt64 = 1_000_000

  @Test(
    "deadline_at is as far away as the wall clock says; what has passed is over, and what is no time is none",
    arguments: [
      (at: 5_000, deadline: 1_900 * ms), (at: 4_101, deadline: 1_001 * ms),
      (at: 4_100, deadline: 0), (at: 1, deadline: 0), (at: .max, deadline: .max),
      (at: .max / ms + 1, deadline: .max),
      (at: .max / ms, deadline: 1_000 * ms + (.max / ms - 4_100) * ms),
    ] as [(at: UInt64, deadline: UInt64)])
  func absolute(at: UInt64, deadline: UInt64) {
    #expect(CallDeadline.at(at, now: 1_000 * Self.ms, wall: 4_100 * Self.ms) == deadline)
  }

  @Test("a machine whose clock stands at 1970 counts no further than there is")
  func farther() {
    #expect(CallDeadline.at(.max / Self.ms, now: 9 * Self.ms, wall: 1) == .max)
  }

  @Test(
    "the timeout has a default and a limit; of a stream it has neither",
    arguments: [
      (timeout: 0, isStream: false, ms: 5_000), (timeout: 1, isStream: false, ms: 1),
      (timeout: 60_001, isStream: false, ms: 60_000), (timeout: 0, isStream: true, ms: nil),
      (timeout: .max, isStream: true, ms: UInt64(UInt32.max)),
    ] as [(timeout: UInt32, isStream: Bool, ms: UInt64?)])
  func relative(timeout: UInt32, isStream: Bool, ms: UInt64?) {
    let deadline = CallDeadline.after(timeout, isStream: isStream, since: 7)
    #expect(deadline == ms.map { 7 + $0 * Self.ms } ?? .max)
  }

  private static func wallMs(in ms: UInt64) -> UInt64 { wallNow() / Self.ms + ms }

  @Test("a call whose deadline_at has passed is answered DEADLINE, and its handler is not called")
  func passed() async throws {
    let lane = try ServerLane()
    let peer = RawPeer(port: try await lane.start())
    for (id, method) in [(1, GetStockRequest.method), (2, CountRequest.method)]
      as [(UInt64, String)]
    {
      for deadlineAt in [1, Self.wallMs(in: 0) - 1] {
        peer.send(RawPeer.frame(id, method, timeoutMs: 60_000, deadlineAt: deadlineAt))
        let reply = try #require(try peer.reply())
        let status = try #require(reply.status)
        #expect(reply.callID == id && status.code == .deadlineExceeded)
        #expect(status.reason == "DEADLINE" && !status.outcomeUnknown)
        #expect(status.message.contains("deadline_at"))
      }
    }
    #expect(await lane.waitingCount == 0)
    #expect(await lane.streams.isEmpty)
    #expect(await lane.observed == Array(repeating: "- DEADLINE_EXCEEDED", count: 4))
    await lane.stop()
  }

  @Test(
    "a call whose deadline_at is to come is handed in, until the earlier of its two limits",
    arguments: [
      (timeout: 60_000, inMs: 30_000, earlier: 30_000),
      (timeout: 20_000, inMs: 30_000, earlier: 20_000),
      (timeout: 0, inMs: 3_600_000, earlier: 5_000),
      (timeout: .max, inMs: 3_600_000, earlier: 60_000),
    ] as [(timeout: UInt32, inMs: UInt64, earlier: UInt64)])
  func earlier(timeout: UInt32, inMs: UInt64, earlier: UInt64) async throws {
    let lane = try ServerLane()
    let peer = RawPeer(port: try await lane.start())
    let before = monotonicNow()
    peer.send(
      RawPeer.frame(
        1, GetStockRequest.method, timeoutMs: timeout, deadlineAt: Self.wallMs(in: inMs)))
    try await eventually("the call waits") { await lane.waitingCount == 1 }
    let deadline = try #require(await lane.waitingDeadlines.first)
    // Clocks that are put right meanwhile, and what is cut off a millisecond.
    let slack = 100 * Self.ms
    #expect(deadline + slack > before + earlier * Self.ms)
    #expect(deadline < monotonicNow() + earlier * Self.ms + slack)
    await lane.answerBackwards()
    #expect(try peer.reply()?.status == nil)
    await lane.stop()
  }

  @Test(
    "a stream ends at its deadline_at, with a timeout and without",
    arguments: [0, 60_000] as [UInt32])
  func stream(timeout: UInt32) async throws {
    let lane = try ServerLane()
    let peer = RawPeer(port: try await lane.start())
    var message: [UInt8] = []
    withUnsafeBytes(of: CountRequest(last: .max, padding: 100_000)) { message = Array($0) }
    let deadlineAt = Self.wallMs(in: 1_000)
    peer.send(
      RawPeer.frame(
        1, CountRequest.method, message, timeoutMs: timeout, deadlineAt: deadlineAt))
    let item = try #require(try peer.reply())
    #expect(item.status == nil, "one item, and the window is used")
    let end = try #require(try peer.reply())
    #expect(end.callID == 1 && end.status?.reason == "DEADLINE")
    #expect(Self.wallMs(in: 100) >= deadlineAt)
    #expect(await lane.streams.map(\.ended) == [true])
    await lane.stop()
  }

  @Test("a client says until when a call is waited for if it is to, and of streams it does not")
  func client() async throws {
    for sends in [true, false] {
      let server = try RawServer()
      var options = StockClient.Options()
      options.sendsDeadlineAt = sends
      let client = StockClient(to: server.address, options: options)
      let before = Self.wallMs(in: 0)
      let call = Task { try await client.call(HealthCheckRequest(), timeoutMs: 20_000) }
      server.accept()
      let hello = try #require(try server.call())
      server.greet(hello.id)
      let (id, timeoutMs, deadlineAt) = try #require(
        try server.envelope { ($0.callID, UInt64($0.timeoutMs), $0.deadlineAt) })
      if sends {
        #expect(deadlineAt + 100 > before + timeoutMs)
        #expect(deadlineAt < Self.wallMs(in: timeoutMs + 100))
      } else {
        #expect(deadlineAt == 0)
      }
      server.answer(id, HealthCheckReply(status: .serving, warnings: [], version: "test"))
      _ = try await call.value
      let stream = try await client.stream(CountRequest(last: 1))
      let count = try #require(try server.envelope { ($0.timeoutMs, $0.deadlineAt) })
      #expect(count == (0, 0))
      withExtendedLifetime(stream) {}
      await client.close()
    }
  }
}
