import Inventory
import Testing

@testable import Wire

@Suite("Bytes of a traced event")
struct EventTraceTests {
  private func part(_ trace: TraceContext?, user: String = "u") throws -> [UInt8] {
    let user = try #require(Label(user))
    let key = try #require(Label("k"))
    let reservation = Reservation.of(
      hold: HoldKey(partition: 0, high: 1, low: 2), sku: try #require(SKU("x")), qty: 2,
      user: user, key: key, ttlMs: 1_000, requestedTTLMs: 0, trace: trace)
    var bytes = ByteBuffer()
    reservation.appendEvent(to: &bytes)
    return Array(bytes.readable)
  }

  @Test("field 4, 25 bytes, before the line, which stays the last; nothing when there is none")
  func golden() throws {
    let trace = try #require(TraceContext(traceHigh: 1, traceLow: 2, parent: 3, flags: 1))
    let hold = "H-" + HoldKey(partition: 0, high: 1, low: 2).description.dropFirst(2)
    let before =
      [0x0A, UInt8(hold.utf8.count)] + Array(hold.utf8) + [0x12, 1, 0x75, 0x1A, 1, 0x6B]
    let field: [UInt8] =
      [0x22, 25] + [0, 0, 0, 0, 0, 0, 0, 1] + [0, 0, 0, 0, 0, 0, 0, 2] + [0, 0, 0, 0, 0, 0, 0, 3]
      + [1]
    let line: [UInt8] = [0x3A, 5, 0x08, 2, 0x1A, 1, 0x78]
    #expect(try part(trace) == before + field + line)
    #expect(try part(nil) == before + line)
  }

  @Test("an event of a user whose name would be refused today is read as ever")
  func hiddenCharacters() throws {
    var bytes = try part(nil, user: "ada\u{202E}")
    func fixed(_ field: UInt8) -> [UInt8] { [field << 3 | 1, 7, 0, 0, 0, 0, 0, 0, 0] }
    bytes += fixed(8) + [9 << 3, 1] + fixed(10) + fixed(11) + fixed(12)
    let event = try bytes.withUnsafeBytes {
      try Event(type: "HOLD_CREATED", $0, arena: Arena())
    }
    guard case .hold(_, let hold) = event else { throw EventError.unknownType("\(event)") }
    #expect(hold.user.text == "ada\u{202E}")
  }

  @Test(
    "a status is the one that its type leaves behind, and no number that only ends like it",
    arguments: [([1], true), ([2], false), ([0], false), ([0x81, 0x02], false)]
      as [([UInt8], Bool)])
  func status(number: [UInt8], isRead: Bool) throws {
    var bytes = try part(nil)
    // When it was made, the status, its version, its change and its deadline.
    func fixed(_ field: UInt8) -> [UInt8] { [field << 3 | 1, 7, 0, 0, 0, 0, 0, 0, 0] }
    bytes += fixed(8) + [9 << 3] + number + fixed(10) + fixed(11) + fixed(12)
    let event = bytes.withUnsafeBytes {
      try? Event(type: "HOLD_CREATED", $0, arena: Arena())
    }
    #expect((event != nil) == isRead)
  }
}
