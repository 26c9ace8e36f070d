import Logging
import Synchronization
import Testing
import Wire

@testable import RPC

/// What is logged and counted of calls.
@Suite("Observers")
struct ObserverTests {
  /// Keeps the lines instead of writing them.
  private final class Lines: LogHandler, Sendable {
    private let kept = Mutex<[String]>([])
    private let level: Logger.Level

    init(level: Logger.Level) { self.level = level }

    var all: [String] { kept.withLock { $0 } }

    var logLevel: Logger.Level {
      get { level }
      set { _ = newValue }
    }
    var metadata: Logger.Metadata {
      get { [:] }
      set { _ = newValue }
    }
    subscript(metadataKey _: String) -> Logger.Metadata.Value? {
      get { nil }
      set { _ = newValue }
    }

    func log(event: LogEvent) {
      let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map {
        "\($0.key)=\($0.value)"
      }
      kept.withLock {
        $0.append("\(event.level) \(event.message) \(fields.joined(separator: " "))")
      }
    }
  }

  private let table: MethodTable
  private let failure = Status(.internal, reason: "STORE_FAILED", message: "The store failed.")

  init() {
    var table = MethodTable()
    table.on("s.S/Unary") { _ in }
    table.onStream("s.S/Stream") { _, _ in }
    self.table = table
  }

  private func call(
    _ method: String = "s.S/Unary", began: UInt64 = 0, _ metadata: Metadata = Metadata()
  ) throws -> CallRecord {
    let entry = try #require(Array(method.utf8).withUnsafeBytes { table.entry(for: $0) })
    return CallRecord(beganAt: began, metadata: metadata, peer: .ip("192.0.2.1"), entry: entry)
  }

  private func log(slowMs: UInt64 = 100, level: Logger.Level = .info) -> (CallLog, Lines) {
    let lines = Lines(level: level)
    return (CallLog(slowMs: slowMs, logger: Logger(label: "test") { _ in lines }), lines)
  }

  @Test("a failure inside is an error, with what its caller can be found by")
  func failed() throws {
    let (log, lines) = log()
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    log.ended(
      try call(began: 1_000_000, ["x-request-id": "r\n1 \u{1b}[31m", "traceparent": trace]),
      failure,
      now: 3_500_000)
    #expect(
      lines.all == [
        "error call failed message=The store failed. method=s.S/Unary ms=2.5 peer=192.0.2.1 "
          + "reason=STORE_FAILED status=INTERNAL traceparent=\(trace) x-request-id=r?1??[31m"
      ])
  }

  @Test("a slow call is a warning, however it ended; a stream is never slow")
  func slow() throws {
    let (log, lines) = log()
    let late = Status(.deadlineExceeded, reason: "DEADLINE", message: "Late.")
    log.ended(try call(), nil, now: 100_000_000)
    log.ended(try call("s.S/Stream"), nil, now: 100_000_001)
    #expect(lines.all.isEmpty)
    log.ended(try call(), nil, now: 100_000_001)
    log.ended(try call(), late, now: 250_000_000)
    #expect(
      lines.all == [
        "warning slow call method=s.S/Unary ms=100.0 peer=192.0.2.1 status=OK",
        "warning slow call method=s.S/Unary ms=250.0 peer=192.0.2.1 reason=DEADLINE "
          + "status=DEADLINE_EXCEEDED",
      ])
    let (off, none) = self.log(slowMs: 0)
    off.ended(try call(), nil, now: .max)
    #expect(none.all.isEmpty)
  }

  @Test("every call is logged at the level debug")
  func debug() throws {
    let (log, lines) = log(level: .debug)
    log.ended(try call(), nil, now: 1_000)
    #expect(lines.all == ["debug call method=s.S/Unary ms=0.001 peer=192.0.2.1 status=OK"])
  }

  @Test("a flood of failures is a few lines a second, and the rest is counted")
  func flood() throws {
    let (log, lines) = log()
    for _ in 0..<500 { log.ended(try call(), failure, now: 5_000_000_000) }
    #expect(lines.all.count == CallLog.linesPerSecondMax)
    log.ended(try call(), failure, now: 6_000_000_000)
    let omitted = 500 - CallLog.linesPerSecondMax
    #expect(lines.all.last?.contains("omitted=\(omitted)") == true)
    log.ended(try call(), failure, now: 6_000_000_001)
    #expect(lines.all.last?.contains("omitted") == false)
  }

  @Test("calls are counted by method and by code, and timed")
  func counts() throws {
    let counts = CallCounts(of: table)
    for time: UInt64 in 1...100 { counts.ended(try call(), nil, now: time * 1_000_000) }
    for _ in 1...3 { counts.ended(try call("s.S/Stream"), failure, now: 7) }
    counts.ended(
      try call("s.S/Stream"), Status(.cancelled, reason: "C", message: "C."), now: 7)
    let (unary, stream) = (counts.state[0], counts.state[1])
    #expect(unary.method == "s.S/Unary" && unary.calls == 100 && unary.failures.isEmpty)
    #expect((50_000_000...53_125_000).contains(unary.p50Ns))
    #expect((99_000_000...100_000_000).contains(unary.p99Ns) && unary.maxNs == 100_000_000)
    #expect(stream.method == "s.S/Stream" && stream.calls == 4)
    #expect(
      stream.failures == [
        FailureCount(code: .cancelled, count: 1), FailureCount(code: .internal, count: 3),
      ])
  }
}
