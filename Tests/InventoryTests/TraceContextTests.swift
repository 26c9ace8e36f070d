import Inventory
import Testing

private let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

private let notTraces: [String] = [
  "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0", header + "-", header + "0",
  "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
  "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
  "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
  "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0 ",
  "00-4b\u{e9}2f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
]

@Suite("Trace context")
struct TraceContextTests {
  static func parse(_ text: String) -> TraceContext? {
    var text = text
    return text.withUTF8 { TraceContext(traceparent: UnsafeRawBufferPointer($0)) }
  }

  @Test("the recommendation's example, as text and as 25 bytes")
  func example() throws {
    let trace = try #require(Self.parse(header))
    #expect(trace.traceHigh == 0x4bf9_2f35_77b3_4da6 && trace.traceLow == 0xa3ce_929d_0e0e_4736)
    #expect(trace.parent == 0x00f0_67aa_0ba9_02b7 && trace.flags == 1)
    #expect(trace.traceparent == header)
    #expect(
      trace.binary == [
        0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47,
        0x36, 0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7, 0x01,
      ])
    #expect(trace.binary.withUnsafeBytes { TraceContext(binary: $0) } == trace)
  }

  @Test("a later version: the part that this one knows")
  func later() {
    let later = "cc" + header.dropFirst(2)
    #expect(Self.parse(later) == Self.parse(header))
    #expect(Self.parse(later + "-what-comes-later") == Self.parse(header))
    #expect(Self.parse(later + ".what") == nil)
  }

  @Test("what is not one is nil", arguments: notTraces)
  func invalid(text: String) {
    #expect(Self.parse(text) == nil)
  }

  @Test("bytes of another length, or without a trace, are nil")
  func binary() {
    for bytes in [[], [UInt8](repeating: 1, count: 24), [UInt8](repeating: 0, count: 25)] {
      #expect(bytes.withUnsafeBytes { TraceContext(binary: $0) } == nil)
    }
  }
}
