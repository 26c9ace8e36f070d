import Inventory
import Testing

@testable import Wire

/// What orders and releases write down, byte by byte: streams, dead letters and other programs keep it.
@Suite("Orders and releases as events")
struct OrderEventTests {
  private let arena = Arena()

  private func order(reason: String?, actor: String?) -> StockOrder {
    StockOrder(
      .adjust(-1), of: SKU("x")!, requestID: Label("r")!,
      attribution: Attribution(
        actor: actor.flatMap { Label($0) }, reason: reason.flatMap { Label($0) }))
  }

  private func bytes(_ write: (inout ByteBuffer) -> Void) -> [UInt8] {
    var buffer = ByteBuffer()
    write(&buffer)
    return Array(buffer.readable)
  }

  @Test("the server's part of an order: SKU, request, and who and why where they were said")
  func firstPart() {
    let plain: [UInt8] = [0x0A, 1, 0x78, 0x12, 1, 0x72]
    #expect(bytes { order(reason: nil, actor: nil).appendEvent(to: &$0, arena: arena) } == plain)
    #expect(
      bytes { order(reason: "w", actor: "a").appendEvent(to: &$0, arena: arena) }
        == plain + [0x22, 1, 0x77, 0x2A, 1, 0x61])
    #expect(
      bytes { order(reason: nil, actor: "a").appendEvent(to: &$0, arena: arena) }
        == plain + [0x2A, 1, 0x61])
  }

  @Test("who released a hold and why: the last fields of its event")
  func release() {
    let said = Attribution(actor: Label("a"), reason: Label("w"))
    #expect(
      bytes { said?.appendHoldEvent(to: &$0, arena: arena) }
        == [0x82, 0x01, 1, 0x77, 0x8A, 0x01, 1, 0x61])
  }

  @Test("an event of before, of each new type, and with what no label may hold")
  func read() throws {
    // SKU, request; version 4, time 5, figures 1 + 2 + 3 = 6, delta -1.
    var second: [UInt8] = []
    for (field, value) in [(8, 4), (9, 5), (10, 1), (11, 2), (12, 3), (13, 6), (14, -1)]
      as [(UInt8, Int64)]
    {
      second.append(field << 3 | 1)
      withUnsafeBytes(of: value.littleEndian) { second.append(contentsOf: $0) }
    }
    let retired: [UInt8] = [0x80, 0x01, 1]
    func change(_ type: EventType, _ bytes: [UInt8]) throws -> StockChange? {
      let event = try bytes.withUnsafeBytes {
        try Event(type: type.rawValue, $0, arena: arena)
      }
      guard case .stock(type, let change) = event else { return nil }
      return change
    }
    let plain = bytes { order(reason: nil, actor: nil).appendEvent(to: &$0, arena: arena) }
    let old = try change(.stockSet, plain + second)
    #expect(old?.attribution == nil && old?.figures.isRetired == false && old?.delta == -1)
    let said = bytes { order(reason: "w", actor: "a").appendEvent(to: &$0, arena: arena) }
    for type in [EventType.stockSet, .stockAdjusted, .stockRetired] {
      let new = try change(type, said + second + retired)
      #expect(new?.attribution?.actor?.text == "a" && new?.attribution?.reason?.text == "w")
      #expect(new?.figures.isRetired == true && new?.requestID?.text == "r")
      #expect(throws: EventError.invalidField(type, "request_id")) {
        try change(type, Array(plain.prefix(3)) + second)
      }
    }
    #expect(throws: EventError.invalidField(.stockSet, "reason")) {
      try change(.stockSet, plain + [0x22, 1, 0x07] + second)
    }
  }
}
