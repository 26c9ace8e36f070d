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
