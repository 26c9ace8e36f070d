import Inventory
import Testing

@testable import Wire

@Suite("Messages of the feeds")
struct FeedMessageTests {
  private func encoded(_ message: (inout ByteBuffer, Arena) -> Void) -> [UInt8] {
    var buffer = ByteBuffer()
    message(&buffer, Arena())
    return Array(buffer.readable)
  }

  private func follow(_ request: FollowRequest) throws(Status) -> Follow {
    let bytes = encoded { request.encode(into: &$0, arena: $1) }
    return try withBytes(bytes) { view throws(Status) in
      try OperationDecoder().follow(view, arena: Arena())
    }
  }

  private func watch(_ request: WatchStockRequest) throws(Status) -> WatchStock {
    let bytes = encoded { request.encode(into: &$0, arena: $1) }
    return try withBytes(bytes) { view throws(Status) in
      try OperationDecoder().watchStock(view, arena: Arena())
    }
  }

  private func withBytes<Result>(
    _ bytes: [UInt8], _ read: (UnsafeRawBufferPointer) throws(Status) -> Result
  ) throws(Status) -> Result {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyBytes(from: bytes)
    return try read(UnsafeRawBufferPointer(copy))
  }

  @Test("what a follower asks for arrives, at every limit and not beyond it")
  func followRequest() throws {
    let skus = (0..<FollowRequest.skusMax).map { "sku-\($0)" }
    let full = try follow(
      FollowRequest(after: "1-0.0.1", fromEarliest: true, types: EventType.allCases, skus: skus))
    #expect(full.after == "1-0.0.1" && full.fromEarliest && full.skus.count == skus.count)
    #expect(full.types == Set(EventType.allCases.map(\.rawValue)))
    #expect(try follow(FollowRequest()).after == nil)
    #expect(throws: Status.invalid("skus", "at most 256 SKUs")) {
      try follow(FollowRequest(skus: skus + ["one-more"]))
    }
    let many = [EventType](repeating: .holdCreated, count: FollowRequest.typesMax + 1)
    #expect(throws: Status.invalid("event_types", "at most 16 types")) {
      try follow(FollowRequest(types: many))
    }
  }

  @Test("what a watcher asks for arrives, and a token that is none is refused")
  func watchRequest() throws {
    var digest = StockDigest()
    digest.learn(7)
    let skus = (0..<WatchStockRequest.skusMax).map { "sku-\($0)" }
    let wanted = try watch(WatchStockRequest(skus: skus, after: "\(digest)"))
    #expect(wanted.skus.map(\.text) == skus && wanted.after == digest)
    for wrong in ["7", "zzzzzzzzzzzzzzzz", "+000000000000007"] {
      #expect(throws: Status.invalid("after", "the token of an update")) {
        try watch(WatchStockRequest(skus: ["a"], after: wrong))
      }
    }
  }

  @Test("a digest does not depend on the order, and forgets what it is told to")
  func digest() {
    let sku = SKU("x")!
    let states = (0..<100 as Range<UInt64>).map { held in
      StockDigest.fingerprint(
        sku, .found,
        Figures(available: 100 - held, held: held, sold: 0, supplied: 100, version: 1),
        isClosed: false)
    }
    #expect(Set(states).count == 100)
    var (one, other) = (StockDigest(), StockDigest())
    for state in states { one.learn(state) }
    for state in states.reversed() { other.learn(state) }
    #expect(one == other && StockDigest("\(one)") == one)
    for state in states { one.forget(state) }
    #expect(one == StockDigest())
  }

  @Test("an event that no version knows arrives as it stood in the store")
  func unread() throws {
    let bytes: [UInt8] = [1, 2, 3]
    var buffer = ByteBuffer()
    let (arena, token) = (Arena(), "1-0.0.1")
    bytes.withUnsafeBytes { raw in
      let item = FollowItem(token: token, type: "HOLD_MOVED", raw, arena: arena)
      item.encode(raw, into: &buffer, arena: arena)
    }
    let item = try FollowItem(buffer.readable, arena: Arena())
    #expect(item.type == "HOLD_MOVED" && item.unread == bytes && item.event == nil)
    #expect(item.token == token && item.id.isEmpty)
  }
}
