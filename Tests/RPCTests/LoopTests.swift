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
    }

    deinit {
      close(read)
      close(write)
    }
  }

  private actor Lane {
    let executor = LoopExecutor(label: "test.loop")
    let loop: EventLoop
    private let (common, urgent) = (Pipe(), Pipe())
    private var began: UInt64 = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init() throws { loop = try EventLoop(on: executor.queue) }

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
}
