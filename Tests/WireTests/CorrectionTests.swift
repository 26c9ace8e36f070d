import Inventory
import Testing

@testable import Wire

@Suite("Corrections as bytes")
struct CorrectionTests {
  private let arena = Arena()

  private func event(
    _ type: EventType, _ correction: Correction?, figures: Figures
  ) throws -> Event {
    var buffer = ByteBuffer()
    appendStockEvent(correcting: SKU("x")!, to: &buffer, arena: arena)
    var bytes = Array(buffer.readable)
    for (field, value) in [
      (8, figures.version), (9, 5), (10, figures.available), (11, figures.held), (12, figures.sold),
      (13, figures.supplied),
    ] as [(UInt8, UInt64)] {
      bytes.append(field << 3 | 1)
      withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
    var tail = ByteBuffer()
    correction?.append(to: &tail, arena: arena)
    bytes += Array(tail.readable)
    return try bytes.withUnsafeBytes {
      try Event(type: type.rawValue, $0, arena: arena)
    }
  }

  private func correction(_ books: Correction.Deltas, found: String = "it differed") -> Correction {
    Correction(actor: Label("anna")!, reason: Label("why")!, found: found, books: books)
  }

  private let figures = Figures(available: 1, held: 2, sold: 3, supplied: 6, version: 4)

  @Test(
    "what is written is read again",
    arguments: [
      Correction.Deltas(available: -3, sold: 3), .none,
      Correction.Deltas(available: 1_000_000_000_000, supplied: 1_000_000_000_000),
    ])
  func roundTrip(_ books: Correction.Deltas) throws {
    let sent = correction(books)
    guard
      case .stock(.stockCorrected, let change) = try event(.stockCorrected, sent, figures: figures)
    else {
      Issue.record("another event")
      return
    }
    #expect(change.correction == sent && change.figures == figures && change.sku.text == "x")
  }

  @Test("a correction that says nothing, or what cannot be, is no event")
  func refused() throws {
    #expect(throws: EventError.invalidField(.stockCorrected, "correction")) {
      try event(.stockCorrected, nil, figures: figures)
    }
    for books in [
      Correction.Deltas(available: 1), Correction.Deltas(available: .max, held: -.max),
    ] {
      #expect(throws: EventError.invalidField(.stockCorrected, "correction deltas")) {
        try event(.stockCorrected, correction(books), figures: figures)
      }
    }
    #expect(throws: EventError.invalidField(.stockCorrected, "correction.found")) {
      try event(.stockCorrected, correction(.none, found: "a\u{1B}[2J"), figures: figures)
    }
  }

  @Test("another type of event has none, whatever its bytes say")
  func elsewhere() throws {
    guard
      case .stock(_, let change) = try event(.stockAdopted, correction(.none), figures: figures)
    else {
      Issue.record("another event")
      return
    }
    #expect(change.correction == nil)
  }
}
