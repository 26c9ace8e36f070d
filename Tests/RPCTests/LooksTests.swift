import Testing

@testable import Loop

/// Since when what a loop finds may have waited.
@Suite("Looks")
struct LooksTests {
  /// Milliseconds, of a look that follows one at 1,000.
  private struct Row: CustomTestStringConvertible {
    let what: String
    let now: UInt64
    var due: UInt64?
    var waited: UInt64?
    let since: UInt64
    var testDescription: String { what }
  }

  private static let rows = [
    Row(what: "found at once", now: 1_000, due: 1_100, waited: 100, since: 1_000),
    Row(what: "rested in Dispatch, no timer", now: 9_000, since: 9_000),
    Row(what: "rested in Dispatch until its timer", now: 1_500, due: 1_499, since: 1_500),
    Row(what: "woken late, as on a busy core", now: 1_519, due: 1_500, since: 1_519),
    Row(what: "woken 30 ms late", now: 1_530, due: 1_500, since: 1_470),
    Row(what: "stopped while it rested", now: 9_000, due: 1_100, since: 1_000),
    Row(what: "waited in the set as long as it may", now: 1_100, waited: 100, since: 1_100),
    Row(what: "a long pass, and no timer", now: 1_400, waited: 0, since: 1_000),
    Row(what: "a stop in the set's wait", now: 9_000, due: 20_000, waited: 100, since: 1_000),
    Row(what: "30 ms longer than it may", now: 1_130, waited: 100, since: 1_070),
  ]

  private static func looks(at ms: UInt64) -> Looks { Looks(now: ms * 1_000_000) }

  @Test("what a look finds has waited since the last one at most", arguments: rows)
  private func one(_ row: Row) {
    var looks = Self.looks(at: 1_000)
    looks.looked(
      row.now * 1_000_000, due: row.due.map { $0 * 1_000_000 },
      waitedNs: row.waited.map { $0 * 1_000_000 }, isFull: false)
    #expect(looks.readableSince == row.since * 1_000_000)
    #expect(looks.wasAway == (row.since < row.now))
    #expect(looks.lastAt == row.now * 1_000_000)
  }

  @Test("what an absence has left for later looks has waited as long, and no others have")
  func leftOver() {
    var looks = Self.looks(at: 1_000)
    func look(_ ms: UInt64, isFull: Bool = false) {
      looks.looked(ms * 1_000_000, due: nil, waitedNs: 0, isFull: isFull)
    }
    look(9_000, isFull: true)
    look(9_001)
    #expect(looks.readableSince == 1_000_000_000, "the look before was full")
    looks.leftSome = true
    look(9_002)
    #expect(looks.readableSince == 1_000_000_000, "a descriptor has left some")
    look(9_003, isFull: true)
    #expect(looks.readableSince == 9_003_000_000, "all was found")
    look(9_004)
    #expect(looks.readableSince == 9_004_000_000, "a full look without an absence means nothing")
  }

  @Test("looks that are always full do not make an absence last for ever")
  func alwaysFull() {
    var looks = Self.looks(at: 1_000)
    for ms in 0..<200 {
      looks.looked((9_000 + UInt64(ms)) * 1_000_000, due: nil, waitedNs: 0, isFull: true)
    }
    #expect(!looks.wasAway)
  }
}
