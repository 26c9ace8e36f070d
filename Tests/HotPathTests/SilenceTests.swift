import Logging
import Synchronization
import Testing

@testable import HotPath

/// When a worker is missed, and what the log says of an outage.
@Suite("Silence and outages")
struct SilenceTests {
  private let second: UInt64 = 1_000_000_000

  @Test("a worker is missed when what it says has not changed for too long, whatever clocks show")
  func worker() {
    var silence = WorkerSilence(limitMs: 10_000)
    func isMissed(at seconds: UInt64, _ said: String?) -> Bool {
      _ = silence.look(at: said, worker: "one", now: seconds * second)
      return !silence.warnings(now: seconds * second).isEmpty
    }
    #expect(!isMissed(at: 1, nil) && !isMissed(at: 100, nil), "nobody has ever spoken")
    #expect(!isMissed(at: 101, "5000") && !isMissed(at: 111, "5000"))
    #expect(isMissed(at: 112, "5000"))
    #expect(!isMissed(at: 113, "4000"), "a clock that was set back is a word")
    silence.wasNotSeen()
    #expect(!isMissed(at: 130, "4000") && !isMissed(at: 140, "4000"), "Redis was away meanwhile")
    #expect(isMissed(at: 141, "4000"))
  }

  /// Keeps what is logged.
  private struct Kept: LogHandler {
    final class Lines: Sendable { let all = Mutex<[String]>([]) }
    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {
      let reason = event.metadata?["reason"].map { " \($0)" } ?? ""
      lines.all.withLock { $0.append("\(event.message)\(reason)") }
    }
  }

  @Test("an outage begins once for each reason, ends once, and is bounded where reasons change")
  func outage() {
    let lines = Kept.Lines()
    let logger = Logger(label: "test") { _ in Kept(lines: lines) }
    func take() -> [String] {
      lines.all.withLock { all in
        defer { all = [] }
        return all
      }
    }
    var outage = Outage()
    let now = ContinuousClock.now
    outage.ended("works again", logger)
    for _ in 0..<10 {
      outage.began("away", "refused", logger, at: now)
      outage.began("away", "reset", logger, at: now)
    }
    #expect(take() == ["away; trying again refused", "away; trying again reset"])
    outage.ended("works again", logger)
    outage.ended("works again", logger)
    #expect(take() == ["works again"])
    for number in 0..<100 { outage.began("away", "\(number)", logger, at: now) }
    #expect(take().count == Outage.reasonsMax)
    outage.began("away", "another", logger, at: now + .seconds(61))
    outage.began("away", "a further one", logger, at: now + .seconds(62))
    outage.began("away", "1", logger, at: now + .seconds(200))
    #expect(take() == ["away; trying again another"])
  }
}
