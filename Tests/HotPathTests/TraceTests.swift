import Harness
import Inventory
import Testing

@testable import HotPath

/// Each event carries the trace of the call behind it.
@Suite("Traces in events")
struct TraceTests {
  private static func trace(_ number: UInt64) -> TraceContext {
    TraceContext(traceHigh: 0x4bf9_2f35_77b3_4da6, traceLow: number, parent: 9, flags: 1)!
  }

  private func run(_ traced: Bool) async throws -> (events: [Event], stream: String) {
    let redis = try RedisServer.start(appendOnly: false)
    let lane = try StoreLane(redis)
    try await lane.open()
    func trace(_ number: UInt64) -> TraceContext? { traced ? Self.trace(number) : nil }
    let held = try await lane.script([
      (Sample.set(5, trace: trace(1)), nil), (Sample.reserve("a", trace: trace(2)), nil),
      (Sample.reserve("b", trace: trace(3)), nil), (Sample.reserve("c", trace: trace(4)), nil),
      // A repeat under another trace is the same request, and no event.
      (Sample.reserve("a", trace: Self.trace(99)), nil),
    ])
    #expect(held.last?.outcome == .repeated)
    let ids = held.compactMap { $0.hold?.id }
    let ended = try await lane.script([
      (.confirm(ids[0], paymentRef: Sample.label("p"), trace: trace(5)), Sample.x),
      (.cancel(ids[1], trace: trace(6)), Sample.x),
      (.cancel(ids[2]), Sample.x),
      (.confirm(ids[0], paymentRef: Sample.label("p"), trace: Self.trace(99)), Sample.x),
      (.getHold(ids[0].key, generation: nil), nil),
    ])
    #expect(ended.map(\.outcome) == [.confirmed, .cancelled, .cancelled, .repeated, .found])
    #expect(ended[4].hold?.paymentRef == Sample.label("p"))
    let events = try await lane.events()
    let stream = try redis.cli("--no-raw", "XRANGE", "inventory.events", "-", "+")
    await lane.close()
    redis.stop()
    return (events, stream)
  }

  @Test("set, reserve, confirm and cancel: each its own; without one, that of the reserve")
  func traced() async throws {
    let (events, stream) = try await run(true)
    #expect(stream.contains("\\\"\\x19") && stream.contains("r\\x19"))
    #expect(
      events.map { $0.trace?.traceLow } == [1, 2, 3, 4, 5, 6, 4], "no event for the repeats")
    guard case .hold(_, let confirmed) = events[4] else { throw HarnessError("\(events[4])") }
    #expect(confirmed.trace == Self.trace(2) && confirmed.changeTrace == Self.trace(5))
  }

  @Test("who sends none stores none")
  func untraced() async throws {
    let (events, stream) = try await run(false)
    #expect(events.count == 7 && events.allSatisfy { $0.trace == nil })
    // The fields `trace` and `change_trace` of a hold's event, `trace` of a stock's: each 25 bytes.
    for field in ["\\\"", "r", "\\x1a"] {
      #expect(!stream.contains(field + "\\x19"), "no field \(field)")
    }
  }
}
