import Testing

@testable import Inventory

@Suite("Names are valid or do not exist")
struct NamesTests {
  @Test(
    "SKU",
    arguments: [
      ("iphone_15_pro_256", true), ("A-Z.a/z_09", true), (String(repeating: "x", count: 128), true),
      ("", false), (String(repeating: "x", count: 129), false), ("two words", false),
      ("stock:x", false), ("{p}", false), ("größe", false), ("a\0b", false), ("a\nb", false),
    ] as [(String, Bool)])
  func sku(text: String, valid: Bool) {
    #expect((SKU(text) != nil) == valid)
  }

  @Test(
    "label",
    arguments: [
      (Array("arnav".utf8), true), (Array("Jürgen 🦊".utf8), true),
      (Array(repeating: UInt8(ascii: "k"), count: 128), true), ([], false),
      (Array(repeating: UInt8(ascii: "k"), count: 129), false), ([0xFF, 0xFE], false),
      (Array("a\0b".utf8), false), (Array("a\tb".utf8), false), (Array("a\u{9B}2J".utf8), false),
      ([0x7F], false),
    ] as [([UInt8], Bool)])
  func label(bytes: [UInt8], valid: Bool) {
    #expect(bytes.withUnsafeBytes { Label($0) != nil } == valid)
  }

  @Test(
    "what hides or turns a text is not taken any more, and stays readable where it is stored",
    arguments: [
      0x061C, 0x180E, 0x200B, 0x200E, 0x200F, 0x2028, 0x202E, 0x2060, 0x2069, 0xFEFF, 0xFFF9,
      0xFFFB, 0xE0000, 0xE007F,
    ] as [UInt32])
  func hidden(value: UInt32) throws {
    let bytes = Array("ada\(try #require(Unicode.Scalar(value)))".utf8)
    bytes.withUnsafeBytes {
      #expect(Label(asked: $0) == nil)
      #expect(Label($0) != nil)
    }
  }

  @Test(
    "what languages need is taken: joiners, variation selectors, and the neighbours of the others",
    arguments: [
      "می\u{200C}خواهم", "क्\u{200D}ष", "❤\u{FE0F}", "שלום", "a\u{200A}b", "a\u{2010}b",
      "a\u{2027}b", "a\u{202F}b", "a\u{205F}b", "a\u{206A}b", "a\u{FFFC}b", "a\u{E0100}",
    ])
  func needed(text: String) {
    #expect(Array(text.utf8).withUnsafeBytes { Label(asked: $0) }?.text == text)
  }

  @Test("a hold id survives writing and reading")
  func holdID() throws {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<1_000 {
      let id = HoldID(
        key: HoldKey(
          partition: UInt16.random(in: 0..<1024, using: &random), high: random.next(),
          low: random.next()),
        generation: UInt64.random(in: 1...4_000_000_000_000, using: &random))
      #expect(HoldID(id.description) == id)
    }
  }

  @Test(
    "what is not a hold id",
    arguments: [
      "", "H-", "H-0000000000000000000000000000", "H-0000000000000000000000000000-",
      "H-0000000000000000000000000000-x", "H-0000000000000000000000000000-0",
      "H-0000000000000000000000000000-007",
      "H-0000000000000000000000000000-+5",
      "H-0000000000000000000000000000--5", "h-0000000000000000000000000000-5",
      "H-00U0000000000000000000000000-5",  // no U in the alphabet
      "H-00Z0000000000000000000000000-5",  // more than 128 bits
      "H-0000000000000000000000000000-99999999999999999999999",
    ])
  func notHoldID(text: String) {
    #expect(HoldID(text) == nil)
  }

  @Test("a fingerprint tells fields from their neighbours")
  func fingerprint() {
    func print(_ texts: [String]) -> UInt64 {
      var print = Fingerprint()
      for text in texts { print.mix(text) }
      return print.value
    }
    #expect(print(["ab", "c"]) != print(["a", "bc"]))
    #expect(print(["ab", "c"]) == print(["ab", "c"]))
  }
}
