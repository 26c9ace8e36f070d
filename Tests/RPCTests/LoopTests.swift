import Glibc
import Harness
import Loop
import Synchronization
import Testing

/// The order in which a loop looks at its descriptors.
@Suite("Event loop")
struct LoopTests {
  /// A pipe that notes when it is told.
  private final class Pipe: Descriptor {
    let (read, write): (Int32, Int32)
    private(set) var told: [UInt64] = []
    var isAlwaysReady = false

    init() { (read, write) = Self.ends() }

    static func ends() -> (read: Int32, write: Int32) {
      var ends: [Int32] = [0, 0]
      pipe(&ends)
      _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
      return (ends[0], ends[1])
    }

    func fill() { _ = Glibc.write(write, "x", 1) }

    func ready(_ readiness: Readiness) {
      var byte: UInt8 = 0
      if Glibc.read(read, &byte, 1) == 1 { told.append(monotonicNow()) }
      if isAlwaysReady { fill() }
    }

    deinit {
      close(read)
      close(write)
    }
  }

  /// Says that it is done without a job of the lane, which would have the loop look.
  private final class Work: EndOfPass, Sendable {
    private let done = Atomic(false)
    var isDone: Bool { done.load(ordering: .acquiring) }
    func endOfPass() { done.store(true, ordering: .releasing) }
  }

  /// A pipe that anybody may fill, and that says how often it was told without a job of the lane.
  private final class Bell: Descriptor, Sendable {
    private let pipe = Pipe.ends()
    private let count = Atomic(0)
    var read: Int32 { pipe.read }
    var told: Int { count.load(ordering: .acquiring) }

    func ring() { _ = Glibc.write(pipe.write, "x", 1) }

    func ready(_ readiness: Readiness) {
      var byte: UInt8 = 0
      if Glibc.read(pipe.read, &byte, 1) == 1 { count.add(1, ordering: .releasing) }
    }

    deinit {
      close(pipe.read)
      close(pipe.write)
    }
  }

  /// Notes since when it may have waited, whenever it is told.
  private final class Watch: Descriptor {
    let pipe = Pipe()
    unowned let loop: EventLoop
    private(set) var since: [UInt64] = []

    init(_ loop: EventLoop) { self.loop = loop }

    func ready(_ readiness: Readiness) {
      since.append(loop.readableSince)
      pipe.ready(readiness)
    }
  }

  private actor Lane {
    let executor = LoopExecutor(label: "test.loop")
    let loop: EventLoop
    private let (common, urgent) = (Pipe(), Pipe())
    nonisolated let work = Work()
    nonisolated let bell = Bell()
    private var began: UInt64 = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init() throws { loop = try EventLoop(on: executor) }

    func start(restMs: UInt64) throws {
      _ = try loop.add(common, fd: common.read, interest: .read)
      loop.makeUrgent(try loop.add(urgent, fd: urgent.read, interest: .read))
      loop.after(ms: 1) { [self] in assumeIsolated { $0.fill(restMs) } }
    }

    private func fill(_ restMs: UInt64) {
      began = monotonicNow()
      loop.rest(ms: restMs)
      common.fill()
      urgent.fill()
    }

    /// Milliseconds after which each was told.
    var told: (common: UInt64?, urgent: UInt64?) {
      (
        common.told.first.map { ($0 - began) / 1_000_000 },
        urgent.told.first.map { ($0 - began) / 1_000_000 }
      )
    }

    /// Adds a descriptor that is ready whenever the loop looks.
    func keepBusy() throws {
      common.isAlwaysReady = true
      common.fill()
      _ = try loop.add(common, fd: common.read, interest: .read)
    }

    func hangBell() throws { _ = try loop.add(bell, fd: bell.read, interest: .read) }

    /// Looks of the loop at that descriptor.
    var looks: Int { common.told.count }

    /// Fills a pipe, and stands still in the same pass.
    func standStill(ms: UInt64) throws {
      _ = try loop.add(watch, fd: watch.pipe.read, interest: .read)
      loop.after(ms: 1) { [self] in
        assumeIsolated { lane in
          lane.watch.pipe.fill()
          let filled = monotonicNow()
          while monotonicNow() < filled + ms * 1_000_000 {}
          lane.stood = (filled, monotonicNow())
        }
      }
    }

    private lazy var watch = Watch(loop)
    /// When the pipe was filled, and when the loop went on.
    private(set) var stood: (filled: UInt64, wentOn: UInt64) = (0, 0)

    /// Since when the pipe may have waited, by what the loop says.
    var since: UInt64? { watch.since.first }

    /// Lets the loop rest until a timer.
    func rest(ms: UInt64) {
      rested = nil
      loop.after(ms: ms) { [self] in assumeIsolated { $0.rested = !$0.loop.wasAway } }
    }

    /// Whether the loop took that for a rest; nil: it still rests.
    private(set) var rested: Bool?

    /// A job like any other.
    func note(_ number: Int) { noted.append(number) }

    private(set) var noted: [Int] = []

    /// Puts work off, and then sets a timer, as whoever sends a call and waits for its answer does.
    func putOff(timerMs: UInt64) {
      loop.putOff(work)
      loop.after(ms: timerMs) {}
    }

    func stop() { loop.stop() }
  }

  @Test("while a loop rests, it looks at what is urgent and leaves the rest for later")
  func rests() async throws {
    let lane = try Lane()
    try await lane.start(restMs: 300)
    try await eventually("both are told") {
      let told = await lane.told
      return told.common != nil && told.urgent != nil
    }
    let told = await lane.told
    #expect(told.common! >= 299)
    #expect(told.urgent! < told.common!)
    await lane.stop()
  }

  @Test("a loop that never has nothing to do runs its actor's jobs all the same")
  func jobsOfABusyLoop() async throws {
    let lane = try Lane()
    try await lane.keepBusy()
    try await eventually("the loop is busy") { await lane.looks > 100 }
    for number in 1...100 { await lane.note(number) }
    #expect(await lane.noted == Array(1...100))
    let looks = await lane.looks
    try await eventually("it still looks at its descriptors") { await lane.looks > looks + 100 }
    await lane.stop()
  }

  @Test("a loop that waits is woken for a job, and does not let it wait")
  func jobsOfAWaitingLoop() async throws {
    let lane = try Lane()
    try await lane.hangBell()
    let began = monotonicNow()
    for round in 1...100 {
      // Once told, the loop waits for more.
      lane.bell.ring()
      try await eventually("the bell is heard") { lane.bell.told == round }
      await lane.note(round)
    }
    // If each job waited until the loop gives up waiting, ten seconds.
    #expect(monotonicNow() - began < 5_000_000_000)
    await lane.stop()
  }

  @Test("jobs that come without end do not keep the loop from its descriptors")
  func endlessJobs() async throws {
    let lane = try Lane()
    let isOver = Atomic(false)
    @Sendable func again() { if !isOver.load(ordering: .relaxed) { lane.executor.async(again) } }
    again()
    try await lane.start(restMs: 0)
    try await eventually("a descriptor is told") { await lane.told.common != nil }
    isOver.store(true, ordering: .relaxed)
    await lane.stop()
  }

  @Test("what came while a loop stood still has waited since then")
  func standsStill() async throws {
    let lane = try Lane()
    try await lane.standStill(ms: 100)
    try await eventually("the pipe is told") { await lane.since != nil }
    let (since, stood) = (await lane.since!, await lane.stood)
    #expect(since <= stood.filled && stood.wentOn - since >= 100_000_000)
    await lane.stop()
  }

  @Test("a loop that rests until its timer is not taken for one that stood still")
  func restsUntilTimer() async throws {
    let lane = try Lane()
    // Longer than a pass waits in its set.  A busy machine may wake it late now and then.
    try await eventually("it was a rest") {
      await lane.rest(ms: 250)
      try await eventually("its timer has fired") { await lane.rested != nil }
      return await lane.rested == true
    }
    await lane.stop()
  }

  @Test("work that a job has put off is done at once, whatever timer the job sets as well")
  func putOffByAJob() async throws {
    let lane = try Lane()
    await lane.putOff(timerMs: 60_000)
    try await eventually("the work is done") { lane.work.isDone }
    await lane.stop()
  }
}
