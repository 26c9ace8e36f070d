import Testing

@testable import HotPath

@Suite("How far the books are behind")
struct BacklogTests {
  @Test(
    "bytes: the share of the stream that is not applied",
    arguments: [
      (entries: 100, group: (pending: 10, lag: 15), bytes: 25_000),
      (entries: 100, group: (pending: 0, lag: 0), bytes: 0),
      (entries: 100, group: (pending: 0, lag: nil), bytes: 100_000),  // Redis cannot tell
      (entries: 100, group: (pending: 60, lag: 60), bytes: 100_000),
      (entries: 100, group: nil, bytes: 100_000),  // no worker has ever been there
      (entries: 0, group: nil, bytes: 0),
    ] as [(entries: Int64, group: (pending: Int, lag: Int?)?, bytes: Int64)])
  func share(entries: Int64, group: (pending: Int, lag: Int?)?, bytes: Int64) {
    let group = group.map {
      StreamGroup(
        name: KeySpace.group, pending: $0.pending, lastDelivered: StreamID(ms: 1, sequence: 0),
        lag: $0.lag)
    }
    let backlog = Backlog(streamBytes: 100_000, entries: entries, group: group)
    #expect(backlog.bytes == bytes)
  }

  @Test(
    "refusing begins above the limit and ends somewhat below it",
    arguments: [
      (bytes: 1_000, refusing: false, tooLarge: false),
      (bytes: 1_001, refusing: false, tooLarge: true),
      (bytes: 901, refusing: true, tooLarge: true), (bytes: 900, refusing: true, tooLarge: false),
    ] as [(bytes: Int64, refusing: Bool, tooLarge: Bool)])
  func limit(bytes: Int64, refusing: Bool, tooLarge: Bool) {
    let backlog = Backlog(streamBytes: bytes, entries: 1, group: nil)
    #expect(backlog.isTooLarge(limitBytes: 1_000, refusing: refusing) == tooLarge)
    #expect(!backlog.isTooLarge(limitBytes: 0, refusing: refusing), "0 is no limit")
  }
}
