import Testing
import Wire

@testable import RPC

/// The client's side of a connection, without sockets; and when a call is made again.
@Suite("Client machine")
struct ClientMachineTests {
  private typealias Machine = ClientMachine<String>
  private static let second: UInt64 = 1_000_000_000

  private func open(keepaliveMs: UInt64 = 0) -> Machine {
    var machine = Machine(keepaliveMs: keepaliveMs, now: 0)
    machine.connected()
    return machine
  }

  private func id(_ start: Machine.Start) -> UInt64? {
    if case .send(let id) = start { id } else { nil }
  }

  private func completed(_ response: Machine.Response) -> String? {
    if case .complete(let work) = response { work } else { nil }
  }

  @Test("each call is completed once; an answer that nobody waits for is ignored")
  func once() throws {
    let box = Box(open())
    let first = try #require(id(box.machine.start(deadline: .max, now: 0, work: "a")))
    let second = try #require(id(box.machine.start(deadline: .max, now: 0, work: "b")))
    #expect(first != second)
    #expect(completed(box.machine.responded(to: second, itemBytes: nil)) == "b")
    #expect(completed(box.machine.responded(to: second, itemBytes: nil)) == nil)
    #expect(completed(box.machine.responded(to: 99, itemBytes: nil)) == nil)
    #expect(box.machine.closed("gone") == ["a"])
    #expect(box.machine.closed("gone").isEmpty, "told once")
  }

  @Test("items do not end a stream; an item for a plain call does not leave it open")
  func items() throws {
    let box = Box(open())
    let stream = try #require(
      id(box.machine.start(deadline: .max, windowBytes: 0, now: 0, work: "s")))
    let call = try #require(id(box.machine.start(deadline: .max, now: 0, work: "c")))
    guard case .item("s") = box.machine.responded(to: stream, itemBytes: 72) else {
      Issue.record("an item")
      return
    }
    #expect(box.machine.isInFlight(stream))
    #expect(completed(box.machine.responded(to: call, itemBytes: 72)) == "c")
    #expect(completed(box.machine.responded(to: stream, itemBytes: nil)) == "s")
  }

  @Test(
    "a window is what was asked for and granted; an item may overdraw it, one more ends the stream")
  func window() throws {
    let box = Box(open())
    let stream = try #require(
      id(box.machine.start(deadline: .max, windowBytes: 100, now: 0, work: "s")))
    func item(_ bytes: Int) -> String {
      switch box.machine.responded(to: stream, itemBytes: bytes) {
      case .item: "item"
      case .overrun: "overrun"
      case .complete, .ignore: "end"
      }
    }
    #expect([item(99), item(5_000)] == ["item", "item"], "1 was left for the second")
    #expect(box.machine.granted(4_999, to: stream) == true)
    #expect(box.machine.granted(1, to: stream) == true, "1 is left again")
    #expect([item(1), item(1)] == ["item", "overrun"])
    #expect(box.machine.inFlight == 0)
    #expect(box.machine.granted(1, to: stream) == false, "no such stream")
  }

  @Test("what is cancelled before the server's version is known is cancelled then, if it can be")
  func cancelBeforeVersion() throws {
    for version in [1, 2] as [UInt32] {
      let box = Box(Machine(keepaliveMs: 0, asksVersion: true, now: 0))
      let dropped = try #require(id(box.machine.start(deadline: .max, now: 0, work: "dropped")))
      let late = try #require(id(box.machine.start(deadline: 1, now: 0, work: "late")))
      #expect(box.machine.cancel(dropped) == false, "not yet")
      #expect(box.machine.cancel(99) == false, "no such call")
      let tick = box.machine.tick(Self.second)
      #expect(tick.expired == ["late"] && tick.cancel.isEmpty)
      #expect(box.machine.agreed(on: version) == (version == 2 ? [dropped, late] : []))
      #expect(box.machine.cancel(dropped) == (version == 2), "from now on at once")
    }
  }

  @Test("a deadline passes here only when the server does not say so itself")
  func deadlines() {
    let box = Box(open())
    _ = box.machine.start(deadline: Self.second, now: 0, work: "late")
    _ = box.machine.start(deadline: 2 * Self.second, now: 0, work: "later")
    #expect(box.machine.tick(Self.second).expired.isEmpty)
    let expired = box.machine.tick(Self.second + Machine.graceNs).expired
    #expect(expired == ["late"])
    #expect(box.machine.inFlight == 1)
  }

  @Test("a silent server that owes an answer is asked, then given up; an idle one is left alone")
  func keepalive() {
    let box = Box(open(keepaliveMs: 1_000))
    #expect(!box.machine.tick(100 * Self.second).sendPing, "nothing is owed")
    _ = box.machine.start(deadline: .max, now: 100 * Self.second, work: "")
    #expect(!box.machine.tick(100 * Self.second).sendPing)
    #expect(box.machine.tick(101 * Self.second).sendPing)
    #expect(!box.machine.tick(101 * Self.second).sendPing, "asked once")
    box.machine.heard(101 * Self.second)
    #expect(box.machine.tick(102 * Self.second).sendPing)
    #expect(box.machine.tick(103 * Self.second).close != nil)
  }

  @Test("a server that goes away answers what it has, and gets nothing new")
  func goingAway() throws {
    let box = Box(open())
    let before = try #require(id(box.machine.start(deadline: .max, now: 0, work: "before")))
    box.machine.goingAway()
    guard case .refuse(let status) = box.machine.start(deadline: .max, now: 0, work: "after") else {
      Issue.record("a new call")
      return
    }
    #expect(status.retryable && !status.outcomeUnknown, "it did not happen")
    #expect(completed(box.machine.responded(to: before, itemBytes: nil)) == "before")
  }

  @Test(
    "what is repeated",
    arguments: [
      (Status.connectionLost("x"), 1, true),
      (.noAnswer, 1, true),
      (.shuttingDown, 1, true),
      (.tooManyCalls, 7, true),
      (.tooManyCalls, 8, false),
      (.invalid("qty", "small"), 1, false),
      (.cancelled, 1, false),
    ] as [(Status, Int, Bool)])
  func repeats(status: Status, attempts: Int, expected: Bool) {
    let pause = RetryPolicy().pauseMs(
      after: status, attempts: attempts, leftMs: 60_000, random: 0.5)
    #expect((pause != nil) == expected)
  }

  @Test("pauses grow, are random, heed the server and never outlast the deadline")
  func pauses() throws {
    let policy = RetryPolicy()
    func pause(_ attempts: Int, _ random: Double, retryAfterMs: UInt32 = 0) throws -> UInt64 {
      var status = Status.noAnswer
      status.retryAfterMs = retryAfterMs
      return try #require(
        policy.pauseMs(after: status, attempts: attempts, leftMs: 60_000, random: random))
    }
    #expect(try pause(1, 0) == 0)
    #expect(try pause(1, 0.999) == 19)
    #expect(try pause(4, 0.999) == 159)
    #expect(try pause(7, 0.5) == 640)
    #expect(try pause(1, 0.5, retryAfterMs: 500) == 510)
    #expect(
      policy.pauseMs(after: .noAnswer, attempts: 4, leftMs: 100, random: 0.999) == nil,
      "there is no time left for it")
  }

  @Test("a budget keeps repeats a tenth of the successes")
  func budget() {
    var budget = RetryBudget()
    for _ in 0..<Int(RetryBudget.tokensMax) { #expect(budget.spend() == true) }
    #expect(budget.spend() == false)
    for _ in 0..<11 { budget.earn() }
    #expect(budget.spend() == true)
    #expect(budget.spend() == false)
  }
}
