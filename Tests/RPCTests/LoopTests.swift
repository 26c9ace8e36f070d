import Glibc
import Harness
import Loop
import Testing

/// The order in which a loop looks at its descriptors.
@Suite("Event loop")
struct LoopTests {
  /// A pipe that notes when it is told.
  private final class Pipe: Descriptor {
    let (read, write): (Int32, Int32)
    private(set) var told: [UInt64] = []
    var isAlwaysReady = false

    init() {
      var ends: [Int32] = [0, 0]
      pipe(&ends)
      (read, write) = (ends[0], ends[1])
      _ = fcntl(read, F_SETFL, O_NONBLOCK)
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

  private final class Work: EndOfPass {
    private(set) var isDone = false
    func endOfPass() { isDone = true }
  }

  private actor Lane {
    let executor = LoopExecutor(label: "test.loop")
    let loop: EventLoop
    private let (common, urgent) = (Pipe(), Pipe())
    private let work = Work()
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

    /// Looks of the loop at that descriptor.
    var looks: Int { common.told.count }

    /// A job like any other.
    func note(_ number: Int) { noted.append(number) }

    private(set) var noted: [Int] = []

    /// Puts work off, and then sets a timer, as whoever sends a call and waits for its answer does.
    func putOff(timerMs: UInt64) {
      loop.putOff(work)
      loop.after(ms: timerMs) {}
    }

    var isWorkDone: Bool { work.isDone }

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
    try await lane.start(restMs: 0)
    try await eventually("the loop has begun to wait") { await lane.told.common != nil }
    let began = monotonicNow()
    for number in 1...100 { await lane.note(number) }
    // If each waited until the loop gives up waiting, ten seconds.
    #expect(monotonicNow() - began < 5_000_000_000)
    await lane.stop()
  }

  @Test("work that a job has put off is done at once, whatever timer the job sets as well")
  func putOffByAJob() async throws {
    let lane = try Lane()
    await lane.putOff(timerMs: 60_000)
    try await eventually("the work is done") { await lane.isWorkDone }
    await lane.stop()
  }
}
