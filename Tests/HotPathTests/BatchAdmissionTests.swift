import Testing

@testable import HotPath

@Suite("Who may wait")
struct BatchAdmissionTests {
  private static let second: UInt64 = 1_000_000_000

  /// An admission that has seen Redis take so many microseconds for each operation.
  private func measured(microseconds: UInt64) -> BatchAdmission {
    var admission = BatchAdmission()
    for _ in 0..<5 { admission.measured(256, nanoseconds: 256 * microseconds * 1_000) }
    return admission
  }

  private func judge(
    _ admission: inout BatchAdmission, _ ahead: Int, within: UInt64 = second
  ) -> BatchAdmission.Verdict {
    admission.arrived(ahead: ahead, waiting: ahead, within: within)
  }

  @Test("nothing measured: only the hard limit refuses")
  func cold() {
    var admission = BatchAdmission()
    #expect(judge(&admission, Batch.waitingMax - 1) == .admitted)
    #expect(judge(&admission, Batch.waitingMax) == .refused(retryAfterMs: 100))
    #expect(
      admission.arrived(4_096, ahead: 0, waiting: Batch.waitingMax - 4_095, within: Self.second)
        == .refused(retryAfterMs: 100), "together or not at all")
  }

  @Test("10 microseconds each: 10,000 may wait, and the 10,001st is told when to come back")
  func delay() {
    var admission = measured(microseconds: 10)
    #expect(judge(&admission, 10_000) == .admitted)
    #expect(judge(&admission, 10_001) == .refused(retryAfterMs: 101))
  }

  @Test("once refused, the queue must shrink to three quarters before anybody is admitted")
  func hysteresis() {
    var admission = measured(microseconds: 10)
    _ = judge(&admission, 12_000)
    #expect(judge(&admission, 9_999) != .admitted)
    admission.left(waiting: 7_600)
    #expect(judge(&admission, 7_600) != .admitted)
    admission.left(waiting: 7_500)
    #expect(judge(&admission, 9_999) == .admitted)
  }

  @Test("one slow sync changes nothing; a store that stays slow does")
  func outlier() {
    var admission = measured(microseconds: 10)
    admission.measured(256, nanoseconds: 2 * Self.second)
    #expect(judge(&admission, 9_000) == .admitted)
    for _ in 0..<3 { admission.measured(256, nanoseconds: 256 * 100_000) }
    #expect(judge(&admission, 1_001) != .admitted)
    #expect(judge(&admission, BatchAdmission.operationsFree - 1) == .admitted)
  }

  @Test("who would only expire in the queue is refused; who has hardly anybody ahead is not")
  func within() {
    var admission = measured(microseconds: 10)
    #expect(judge(&admission, 5_000, within: 49_000_000) != .admitted)
    #expect(admission.arrived(ahead: 3, waiting: 20_000, within: 1) == .admitted)
  }

  /// Time steps of one batch: what arrives, what Redis does, and how long the admitted have waited.
  @Test("three times the load that Redis can carry: it stays busy, and nobody waits long")
  func overloaded() {
    var admission = BatchAdmission()
    let each: UInt64 = 10_000
    var queue: [UInt64] = []
    var (now, done, turns, longest): (UInt64, Int, Int, UInt64) = (0, 0, 0, 0)
    for turn in 0..<2_000 {
      for _ in 0..<(3 * 256)
      where admission.arrived(ahead: queue.count, waiting: queue.count, within: Self.second)
        == .admitted
      {
        queue.append(now)
      }
      let batch = queue.prefix(256)
      queue.removeFirst(batch.count)
      admission.left(waiting: queue.count)
      now += 256 * each
      if !queue.isEmpty { admission.measured(batch.count, nanoseconds: 256 * each) }
      if turn > 200 {
        (done, turns) = (done + batch.count, turns + 1)
        longest = max(longest, now - batch[0])
      }
    }
    #expect(done == turns * 256, "Redis was never without work")
    #expect(longest < 110_000_000, "\(longest) ns")
  }
}
