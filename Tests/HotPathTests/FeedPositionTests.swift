import Testing

@testable import HotPath
@testable import Wire

@Suite("Where a follower is")
struct FeedPositionTests {
  @Test("the text of a position is that position, and nothing else is one")
  func text() {
    for text in ["0-0.0.0", "1795521422120-3.17.2519"] {
      #expect(FeedPosition(text)?.description == text)
    }
    for text in ["", "1-0", "1-0.0", "1-0.0.0.0", "1.0.0", "1-0.-1.0", "1-0.x.0", " 1-0.0.0"] {
      #expect(FeedPosition(text) == nil, "\(text)")
    }
  }

  /// Five entries there have been, 10-0 to 14-0; the first three of them are gone.
  private let ends = StreamEnds(
    last: FeedPosition(entry: StreamID(ms: 14, sequence: 0), ordinal: 5),
    earliest: FeedPosition(entry: StreamID(ms: 13, sequence: 0).previous, ordinal: 3))

  @Test(
    "who has missed something is told so, and nobody else",
    arguments: [
      ("14-0.0.5", "-"), ("13-0.0.4", "-"), ("13-0.2.4", "-"), ("12-0.0.3", "-"),
      ("12-0.1.3", "old"), ("11-0.0.2", "old"), ("0-0.0.0", "old"), ("15-0.0.6", "unknown"),
      ("14-0.0.6", "unknown"),
    ] as [(String, String)])
  func fault(text: String, expected: String) throws {
    let found =
      switch ends.fault(of: try #require(FeedPosition(text))) {
      case nil: "-"
      case .tooOld(let earliest): earliest == ends.earliest ? "old" : "another earliest"
      case .unknown: "unknown"
      }
    #expect(found == expected)
    #expect(ends.fault(of: ends.earliest) == nil && ends.fault(of: ends.last) == nil)
  }

  @Test("an event that overtakes the answer about the ends is no event that the store has lost")
  func overtaken() throws {
    let wanted = try #require(FeedPosition("14-0.0.5"))
    let everything = try OperationDecoder().follow(
      UnsafeRawBufferPointer(start: nil, count: 0), arena: Arena())
    let follower = FeedFollower(from: .after(wanted), filter: everything)
    (follower.hasRoom, follower.send) = ({ true }, { _ in })
    #expect(follower.locate(in: ends, askedAt: nil) == nil)
    // Asked for at 14-0, when there was no more; then 15-0 comes, then the answer.
    let newest = FeedEntry(id: StreamID(ms: 15, sequence: 0), ordinal: 6, events: [])
    #expect(follower.take(newest))
    #expect(follower.locate(in: ends, askedAt: wanted) == nil)
    #expect(follower.locate(in: ends, askedAt: nil) == nil, "found meanwhile")
    #expect(follower.position == newest.end)
    // Asked for when it was at 15-0, the same answer says that 15-0 is lost.
    #expect(follower.locate(in: ends, askedAt: newest.end) == .unknown)
  }

  @Test("the newest entries are found by position, and old ones make room")
  func recent() {
    func entry(_ ms: UInt64) -> FeedEntry {
      FeedEntry(id: StreamID(ms: ms, sequence: 0), ordinal: ms, events: [])
    }
    func after(_ ms: UInt64, _ events: Int = 0) -> FeedPosition {
      FeedPosition(entry: StreamID(ms: ms, sequence: 0), events: events, ordinal: ms)
    }
    var recent = RecentEntries(
      after: StreamID(ms: 9, sequence: 0), bytesMax: 100 * entry(1).byteCount)
    for ms in 10...300 as ClosedRange<UInt64> { recent.append(entry(ms)) }
    #expect(recent.start == StreamID(ms: 200, sequence: 0))
    #expect(
      recent.covers(after(200)) && !recent.covers(after(200, 1)) && !recent.covers(after(199)))
    for ms in 200..<300 as Range<UInt64> {
      #expect(recent.entry(after: after(ms))?.id.ms == ms + 1)
    }
    #expect(recent.entry(after: after(250, 3))?.id.ms == 250, "the rest of it")
    #expect(recent.entry(after: after(300)) == nil)
  }

  /// A page may be kept for a reader without room, which then goes on with what is in memory.
  @Test("a reader passes by what it has read")
  func passesBy() {
    let item = EncodedItem(UnsafeRawBufferPointer(start: nil, count: 0), arena: Arena())
    let entries = (UInt64(1)...3).map { number in
      let id = StreamID(ms: number, sequence: 0)
      let events = [1, 2, 0].map {
        FeedEvent(
          position: FeedPosition(entry: id, events: $0, ordinal: number), type: "HOLD_CREATED",
          sku: nil, item: item)
      }
      return FeedEntry(id: id, ordinal: number, events: events)
    }
    let follower = FeedFollower(
      from: .end, filter: Follow(after: nil, fromEarliest: false, types: [], skus: []))
    var (room, read) = (4, [FeedPosition]())
    follower.hasRoom = { room > 0 }
    follower.send = {
      read.append($0.position)
      room -= 1
    }
    let start = FeedPosition(entry: StreamID(ms: 0, sequence: 0), ordinal: 0)
    #expect(follower.locate(in: StreamEnds(last: start, earliest: start), askedAt: nil) == nil)
    #expect(follower.take(entries[0]) && !follower.take(entries[1]), "the rest is kept")
    room = 100
    #expect(follower.take(entries[1]) && follower.take(entries[2]), "from memory")
    #expect(follower.take(entries[1]) && follower.take(entries[2]), "what was kept")
    #expect(read == entries.flatMap { $0.events.map(\.position) })
    #expect(follower.position == entries[2].end)
  }
}
