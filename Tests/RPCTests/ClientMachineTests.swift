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
    #expect(completed(box.machine.responded(to: second, isItem: false)) == "b")
    #expect(completed(box.machine.responded(to: second, isItem: false)) == nil)
    #expect(completed(box.machine.responded(to: 99, isItem: false)) == nil)
    #expect(box.machine.closed("gone") == ["a"])
    #expect(box.machine.closed("gone").isEmpty, "told once")
  }

  @Test("items do not end a stream; an item for a plain call does not leave it open")
  func items() throws {
    let box = Box(open())
    let stream = try #require(
      id(box.machine.start(deadline: .max, isStream: true, now: 0, work: "s")))
    let call = try #require(id(box.machine.start(deadline: .max, now: 0, work: "c")))
    guard case .item("s") = box.machine.responded(to: stream, isItem: true) else {
      Issue.record("an item")
      return
    }
    #expect(box.machine.isInFlight(stream))
    #expect(completed(box.machine.responded(to: call, isItem: true)) == "c")
    #expect(completed(box.machine.responded(to: stream, isItem: false)) == "s")
  }

  @Test("a deadline passes here only when the server does not say so itself")
  func deadlines() {
    let box = Box(open())
    _ = box.machine.start(deadline: Self.second, now: 0, work: "late")
    _ = box.machine.start(deadline: 2 * Self.second, now: 0, work: "later")
    #expect(box.machine.tick(Self.second).expired.isEmpty)
    let expired = box.machine.tick(Self.second + Machine.graceNs).expired
    #expect(expired.map(\.work) == ["late"])
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
    #expect(completed(box.machine.responded(to: before, isItem: false)) == "before")
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
