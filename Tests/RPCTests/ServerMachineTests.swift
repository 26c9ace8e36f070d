import Testing
import Wire

@testable import RPC

/// The server's side of a connection, without sockets.
@Suite("Server machine")
struct ServerMachineTests {
  private static let second: UInt64 = 1_000_000_000
  private typealias Machine = ServerMachine<String>

  private func machine(idleMs: UInt64 = 0, ageMs: UInt64 = 0) -> Machine {
    Machine(terms: .init(idleMs: idleMs, ageMs: ageMs), now: 0)
  }

  private func isDispatched(_ arrival: Machine.Arrival) -> Bool {
    if case .dispatch = arrival { true } else { false }
  }

  private func refusal(_ arrival: Machine.Arrival) -> String? {
    if case .refuse(let status) = arrival { status.reason } else { nil }
  }

  @Test("calls up to the window; an answer makes room for one more")
  func callWindow() {
    let box = Box(machine())
    for id in 1...UInt64(RPCLimits.callsInFlightMax) {
      #expect(
        isDispatched(box.machine.arrived(id, requestBytes: 1, windowBytes: nil, work: "\(id)")))
    }
    let next = UInt64(RPCLimits.callsInFlightMax) + 1
    #expect(
      refusal(box.machine.arrived(next, requestBytes: 1, windowBytes: nil, work: ""))
        == "TOO_MANY_CALLS")
    #expect(box.machine.answered(7) == "7")
    #expect(isDispatched(box.machine.arrived(next, requestBytes: 1, windowBytes: nil, work: "")))
  }

  @Test("bytes up to the window; an answer gives its own back")
  func byteWindow() {
    let box = Box(machine())
    let half = RPCLimits.requestBytesInFlightMax / 2
    #expect(isDispatched(box.machine.arrived(1, requestBytes: half, windowBytes: nil, work: "")))
    #expect(isDispatched(box.machine.arrived(2, requestBytes: half, windowBytes: nil, work: "")))
    #expect(
      refusal(box.machine.arrived(3, requestBytes: 1, windowBytes: nil, work: ""))
        == "TOO_MANY_BYTES")
    _ = box.machine.answered(1)
    #expect(isDispatched(box.machine.arrived(3, requestBytes: 1, windowBytes: nil, work: "")))
  }

  @Test("an id that is in flight breaks the protocol; afterwards it is free again")
  func duplicateID() {
    let box = Box(machine())
    #expect(isDispatched(box.machine.arrived(5, requestBytes: 1, windowBytes: nil, work: "first")))
    guard case .close = box.machine.arrived(5, requestBytes: 1, windowBytes: 0, work: "second")
    else {
      Issue.record("two calls under one id")
      return
    }
    #expect(box.machine.streamCount == 0)
    #expect(box.machine.answered(5) == "first", "it is still owed its answer")
    #expect(isDispatched(box.machine.arrived(5, requestBytes: 1, windowBytes: nil, work: "")))
  }

  @Test("a stream sends until its credit is used, overdraws once, and goes on when granted more")
  func credit() {
    let box = Box(machine())
    _ = box.machine.arrived(1, requestBytes: 1, windowBytes: 1_000, work: "")
    #expect(box.machine.hasCredit(1))
    box.machine.sentItem(of: 900, on: 1)
    #expect(box.machine.hasCredit(1), "100 left: one more item, of any size")
    box.machine.sentItem(of: 900, on: 1)
    #expect(!box.machine.hasCredit(1))
    #expect(box.machine.granted(800, to: 1) == false, "still nothing left")
    #expect(box.machine.granted(1, to: 1) == true, "it had to wait until now")
    #expect(box.machine.granted(1, to: 1) == false, "it was not waiting")
    #expect(box.machine.granted(1, to: 99) == false, "no such stream")
  }

  @Test("a window is never larger than the limit, however much is granted")
  func windowLimit() {
    let box = Box(machine())
    _ = box.machine.arrived(1, requestBytes: 1, windowBytes: .max, work: "")
    for _ in 0..<100 { _ = box.machine.granted(.max, to: 1) }
    box.machine.sentItem(of: RPCLimits.windowBytesMax, on: 1)
    #expect(!box.machine.hasCredit(1))
  }

  @Test("streams up to their limit, calls beside them")
  func streamLimit() {
    let box = Box(machine())
    for id in 1...UInt64(RPCLimits.streamsMax) {
      #expect(isDispatched(box.machine.arrived(id, requestBytes: 1, windowBytes: 0, work: "")))
    }
    #expect(
      refusal(box.machine.arrived(1_000, requestBytes: 1, windowBytes: 0, work: ""))
        == "TOO_MANY_STREAMS")
    #expect(isDispatched(box.machine.arrived(1_001, requestBytes: 1, windowBytes: nil, work: "")))
    _ = box.machine.answered(1)
    #expect(isDispatched(box.machine.arrived(1_000, requestBytes: 1, windowBytes: 0, work: "")))
  }

  /// What time does to a connection: a row is one history, its last column the last tick.
  struct Silence: Sendable {
    var what: String
    /// Seconds at which a whole frame came.
    var frames: [UInt64] = []
    var partial = false
    var unread = false
    var idleMs: UInt64 = 0
    var ageMs: UInt64 = 0
    var calls = 0
    /// Seconds of the last tick.
    var until: UInt64
    var expected: String
  }

  @Test(
    "patience",
    arguments: [
      .init(what: "silent from the start", until: 29, expected: "nothing"),
      .init(what: "silent from the start", until: 30, expected: "close"),
      .init(what: "one call, then silence", frames: [1], until: 10_000, expected: "nothing"),
      .init(what: "half a frame", frames: [1], partial: true, until: 10, expected: "nothing"),
      .init(what: "half a frame", frames: [1], partial: true, until: 11, expected: "close"),
      .init(
        what: "frames that end, always another begun", frames: Array(1...60), partial: true,
        until: 60, expected: "nothing"),
      .init(what: "reads nothing", frames: [1], unread: true, until: 30, expected: "nothing"),
      .init(what: "reads nothing", frames: [1], unread: true, until: 31, expected: "close"),
      .init(what: "idle", frames: [1], idleMs: 60_000, until: 60, expected: "nothing"),
      .init(what: "idle", frames: [1], idleMs: 60_000, until: 61, expected: "goAway"),
      .init(
        what: "waits for an answer", frames: [1], idleMs: 60_000, calls: 1, until: 600,
        expected: "nothing"),
      .init(what: "old", frames: Array(1...100), ageMs: 90_000, until: 89, expected: "nothing"),
      .init(
        what: "old, with a call in flight", frames: [1], ageMs: 90_000, calls: 1, until: 90,
        expected: "goAway"),
    ] as [Silence])
  func patience(row: Silence) {
    let box = Box(machine(idleMs: row.idleMs, ageMs: row.ageMs))
    var last = Machine.Tick.nothing
    for call in 0..<row.calls {
      _ = box.machine.arrived(UInt64(call) + 1, requestBytes: 1, windowBytes: nil, work: "")
    }
    for second in 1...row.until {
      let now = second * Self.second
      if row.frames.contains(second) { box.machine.heard(now) }
      last = box.machine.tick(now, partial: row.partial, unread: row.unread, sent: 0)
      if last != .nothing && second < row.until { Issue.record("\(row.what): early at \(second)") }
    }
    let name: String
    switch last {
    case .nothing: name = "nothing"
    case .goAway: name = "goAway"
    case .finish: name = "finish"
    case .close: name = "close"
    }
    #expect(name == row.expected, "\(row.what)")
  }

  @Test("a slow reader that takes something is waited for")
  func slowReader() {
    let box = Box(machine())
    box.machine.heard(1)
    for second in 1...200 as ClosedRange<UInt64> {
      let tick = box.machine.tick(
        second * Self.second, partial: false, unread: true, sent: second / 20)
      #expect(tick == .nothing, "second \(second)")
    }
  }

  @Test("going away: calls are answered, new ones refused, then it ends")
  func goingAway() {
    let box = Box(machine())
    _ = box.machine.arrived(1, requestBytes: 1, windowBytes: nil, work: "")
    #expect(box.machine.goAway(Self.second) == true)
    #expect(box.machine.goAway(Self.second) == false, "the notice is sent once")
    #expect(
      refusal(box.machine.arrived(2, requestBytes: 1, windowBytes: nil, work: ""))
        == "SHUTTING_DOWN")
    let later = 3 * Self.second
    #expect(box.machine.tick(later, partial: false, unread: false, sent: 0) == .nothing)
    _ = box.machine.answered(1)
    #expect(box.machine.tick(later, partial: false, unread: false, sent: 0) == .finish)
    #expect(box.machine.tick(later, partial: false, unread: false, sent: 0) == .nothing)
    guard case .ignore = box.machine.arrived(3, requestBytes: 1, windowBytes: nil, work: "") else {
      Issue.record("nothing can be said any more")
      return
    }
    guard case .close = box.machine.tick(2 * later, partial: false, unread: false, sent: 0) else {
      Issue.record("a peer that stays is closed on")
      return
    }
  }

  @Test("a call that is never answered does not hold a connection for ever")
  func goingAwayAtLast() {
    let box = Box(machine())
    _ = box.machine.arrived(1, requestBytes: 1, windowBytes: nil, work: "")
    _ = box.machine.goAway(0)
    guard
      case .close = box.machine.tick(
        RPCLimits.goingAwayMsMax * 1_000_000, partial: false, unread: false, sent: 0)
    else {
      Issue.record("its time was over")
      return
    }
  }
}
