import HotPath
import Ledger
import Testing

@testable import Projection

@Suite("Whether a Redis may be opened")
struct ComparisonTests {
  private static let name = "0123456789abcdef"
  private static let books = BookedEpoch(deployment: name, number: 3)
  private static let epoch = Epoch(deployment: name, number: 3)
  private static func id(_ ms: UInt64) -> StreamID { StreamID(ms: ms, sequence: 0) }

  private func compare(
    _ redis: Fence, last: UInt64 = 5, _ books: BookedEpoch? = Self.books, newest: UInt64? = 5,
    delivered: UInt64? = nil
  ) -> Comparison {
    Comparison(
      of: redis, last: Self.id(last), delivered: delivered.map(Self.id), with: books,
      newest: newest.map(Self.id), lot: { 7 })
  }

  @Test("one that knows all that the books know is opened, whatever it knows beyond")
  func agrees() {
    for last: UInt64 in [5, 6] {
      #expect(compare(Fence(epoch: Self.epoch), last: last) == .agrees(Self.epoch))
    }
    #expect(compare(Fence(epoch: Self.epoch), newest: nil) == .agrees(Self.epoch))
  }

  @Test("books without a name draw one beside a Redis that is as new, whatever it has sold")
  func naming() {
    let drawn = Epoch(deployment: "0000000000000007", number: 1)
    #expect(compare(Fence(), nil) == .agrees(drawn))
    #expect(compare(Fence(), last: 0, nil, newest: nil) == .agrees(drawn))
  }

  @Test(
    "each kind of forgetting is refused with its reason",
    arguments: [
      (Fence(), books, 5, "emptied"),
      (Fence(epoch: Epoch(deployment: name, number: 2)), books, 5, "before the last rebuild"),
      (Fence(epoch: Epoch(deployment: name, number: 4)), books, 5, "before its last rebuild"),
      (Fence(epoch: epoch), books, 4, "last writes are lost"),
      (Fence(epoch: epoch, lost: "a writer knows more"), books, 5, "a writer knows more"),
      (
        Fence(epoch: epoch), BookedEpoch(deployment: name, number: 3, isRebuilding: true), 5,
        "has not ended"
      ),
      (Fence(), nil, 4, "last writes are lost"),
    ] as [(Fence, BookedEpoch?, UInt64, String)])
  func refuses(redis: Fence, books: BookedEpoch?, last: UInt64, reason: String) {
    guard case .refused(let text) = compare(redis, last: last, books) else {
      Issue.record("opened")
      return
    }
    #expect(text.contains(reason))
  }

  @Test(
    "books that are not its own have no say, be it closed or not",
    arguments: [
      (Fence(epoch: epoch), nil, nil, "have no name"),
      (Fence(epoch: epoch, lost: "a writer knows more"), nil, 5, "have no name"),
      (Fence(), nil, 5, "have no name"),
      (
        Fence(epoch: epoch), BookedEpoch(deployment: "ffffffffffffffff", number: 3), 5, "belongs to"
      ),
    ] as [(Fence, BookedEpoch?, UInt64?, String)])
  func foreign(redis: Fence, books: BookedEpoch?, delivered: UInt64?, reason: String) {
    guard case .foreign(let text) = compare(redis, books, newest: nil, delivered: delivered) else {
      Issue.record("taken for its own")
      return
    }
    #expect(text.contains(reason))
  }

  @Test("an epoch and an opening are read back as they are written, and nothing else is")
  func texts() {
    let opening = Opening(epoch: Self.epoch, runID: "abc")
    #expect(Opening("\(opening)") == opening)
    for text in ["", "x", "\(Self.epoch)", "\(Self.epoch) ", "zz.1 abc", "\(Self.name).0 abc"] {
      #expect(Opening(text) == nil, "\(text)")
    }
    for text in ["", Self.name, "\(Self.name).", "\(Self.name).-1", "\(Self.name.uppercased()).1"] {
      #expect(Epoch(text) == nil, "\(text)")
    }
  }
}
