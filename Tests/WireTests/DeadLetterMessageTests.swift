import Inventory
import Testing

@testable import Wire

@Suite("Messages about dead letters")
struct DeadLetterMessageTests {
  private func bytes(_ encode: (inout ByteBuffer, Arena) -> Void) -> [UInt8] {
    var buffer = ByteBuffer()
    encode(&buffer, Arena())
    return Array(buffer.readable)
  }

  @Test("each comes back as it went")
  func roundTrips() throws {
    var letter = DeadLetterInfo()
    (letter.eventID, letter.eventType, letter.reason) = ("H-1/1", "HOLD_CREATED", "because")
    (letter.attempts, letter.firstAt, letter.lastAt) = (6, 10, 20)
    (letter.entry, letter.index, letter.place) = ("1-0", 3, "2-0")
    var list = ListDeadLettersReply()
    (list.letters, list.next, list.total) = ([letter, letter], "2-0", 7)
    #expect(
      try bytes { list.encode(into: &$0, arena: $1) }
        .withUnsafeBytes { try ListDeadLettersReply($0, arena: Arena()) } == list)
    let shown = ShowDeadLetterReply(letter: letter, event: [0, 1, 255])
    #expect(
      try bytes { shown.encode(into: &$0, arena: $1) }
        .withUnsafeBytes { try ShowDeadLetterReply($0, arena: Arena()) } == shown)
    let filter = DeadLetterFilter(reason: "a", eventType: "b")
    let replay = try bytes {
      ReplayDeadLettersRequest(matching: filter, after: "1-0", until: "2-0")
        .encode(into: &$0, arena: $1)
    }.withUnsafeBytes { try ReplayDeadLettersRequest($0, arena: Arena()) }
    #expect(replay.filter == filter && replay.after == "1-0" && replay.until == "2-0")
    let ask = try bytes {
      ListDeadLettersRequest(limit: 100_000).encode(into: &$0, arena: $1)
    }.withUnsafeBytes { try ListDeadLettersRequest($0, arena: Arena()) }
    #expect(ask.limit == ListDeadLettersRequest.limitMax)
  }

  @Test("what is refused, by its field")
  func refused() {
    func field(_ request: DiscardDeadLettersRequest) -> String? {
      let bytes = bytes { request.encode(into: &$0, arena: $1) }
      let failure = #expect(throws: Status.self) {
        try bytes.withUnsafeBytes { try DiscardDeadLettersRequest($0, arena: Arena()) }
      }
      return failure?.field
    }
    #expect(field(.init(eventIDs: [], reason: "r", actor: "a")) == "event_ids")
    #expect(field(.init(eventIDs: ["x", ""], reason: "r", actor: "a")) == "event_ids[1]")
    #expect(field(.init(eventIDs: ["x"], reason: "", actor: "a")) == "reason")
    #expect(field(.init(eventIDs: ["x"], reason: "r", actor: "a\nb")) == "actor")
    let many = (0...ReplayDeadLettersRequest.eventIDsMax).map { "\($0)" }
    #expect(field(.init(eventIDs: many, reason: "r", actor: "a")) == "event_ids")
  }

  @Test("an event that breaks every rule is read as far as it goes; garbage is not")
  func readable() throws {
    // HoldEvent: user_id "u", a line of 0 units of "a b", version 0.
    let broken: [UInt8] = [0x12, 1, 0x75, 0x3A, 5, 0x1A, 3, 0x61, 0x20, 0x62]
    let event = try #require(
      broken.withUnsafeBytes { ReadableEvent(type: "HOLD_NEW", $0, arena: Arena()) })
    let fields = Dictionary(event.fields.map { ($0.name, $0.value) }) { one, _ in one }
    #expect(fields["user_id"] == .text("u") && fields["sku"] == .text("a b"))
    #expect(fields["version"] == nil)
    for (type, bytes) in [("HOLD_NEW", [0xFF, 0xFF]), ("MELTED", broken)] as [(String, [UInt8])] {
      #expect(bytes.withUnsafeBytes { ReadableEvent(type: type, $0, arena: Arena()) } == nil)
    }
  }
}
