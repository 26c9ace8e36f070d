import Foundation
import Harness
import Testing
import Wire

/// Stock into files, and back.
@Suite("stockctl stock export")
struct ExportTests {
  private let path = "/tmp/export-\(UUID().uuidString)"

  private func read(_ path: String) throws -> [Substring] {
    try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
  }

  @Test("every SKU, over many pages, in both forms; what is exported can be imported")
  func all() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let files = ["\(path).csv", "\(path).jsonl", "\(path)-in.csv"]
    defer { for file in files { try? FileManager.default.removeItem(atPath: file) } }
    let nothing = try TerminalSession(
      "stockctl", ["stock", "list", "--address", "\(shop.address)"]
    ).end()
    #expect(nothing.status == 0 && nothing.screen == "stockctl: there are none\r\n")
    #expect(
      try shop.ctl("stock", "export").stdout == "sku,available,held,sold,supplied,version,state\n")
    let rows = (1...450).map { "s-\($0),\($0)\n" }.joined()
    try Data("sku,available\n\(rows)".utf8).write(to: URL(filePath: files[2]))
    #expect(try shop.ctl("stock", "import", files[2]).status == 0, "all are new: nobody is asked")
    #expect(try shop.ctl("stock", "retire", "s-7", "--yes").status == 0)
    _ = try shop.redis.cli("SET", "stock:s-9", "junk")

    let said = try shop.ctl("stock", "export", "--out", files[0])
    #expect(said.status == 0 && said.stderr.contains("450 SKUs written to"), "\(said)")
    let lines = try read(files[0])
    #expect(lines.count == 451 && lines.contains("s-42,42,0,0,42,1,ON SALE"), "\(lines[1])")
    #expect(lines.contains { $0.hasPrefix("s-7,") && $0.hasSuffix("RETIRED") })
    #expect(try shop.ctl("stock", "export").stdout.split(separator: "\n") == lines)
    #expect(try shop.ctl("stock", "export", "--out", files[1]).status == 0)
    let object = try #require(
      try read(files[1]).map { Data($0.utf8) }
        .compactMap { try JSONSerialization.jsonObject(with: $0) as? [String: Any] }
        .first { $0["sku"] as? String == "s-42" })
    #expect(object["available"] as? Int == 42 && object["state"] as? String == "ON SALE")

    for file in files[0...1] {
      let back = try shop.ctl("stock", "import", file, "--dry-run")
      #expect(back.status == 0, "\(back)")
      #expect(
        back.stdout.hasSuffix("new=0 changed=0 same=448 refused=0 left_alone=2 bad=0\n"),
        "\(back.stdout.suffix(100))")
      #expect(!back.stdout.contains("s-42"), "what stays the same is not what one looks for")
    }
    #expect(try shop.ctl("stock", "export", "--out", "/nowhere/x.csv").status == 15)
    let pipe = "\(path).pipe"
    defer { try? FileManager.default.removeItem(atPath: pipe) }
    let through = try Program.run(
      "bash",
      [
        "-c", #"mkfifo "$1"; "$0" stock export --out "$1" & timeout 9 cat "$1"; test -p "$1""#,
        try Program.executable(named: "stockctl"), pipe,
      ], environment: ["STOCK_ADDRESS": "\(shop.address)"])
    #expect(through.status == 0 && through.stdout.split(separator: "\n") == lines, "\(through)")
    shop.close()
  }

  @Test("a file of differences: added once, however often it is run; what cannot be is refused")
  func adjust() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    try await shop.supply(10, of: "a")
    try await shop.supply(2, of: "b")
    let file = "\(path).csv"
    defer { try? FileManager.default.removeItem(atPath: file) }
    try Data("sku,delta\na,5\nb,-3\nc,1\nd,0\n".utf8).write(to: URL(filePath: file))
    let dry = try shop.ctl("stock", "import", file, "--dry-run", "--json")
    #expect(dry.stdout.contains(#""available_now":10,"available_then":15,"change":"CHANGED""#))
    #expect(dry.stdout.contains(#""refused":2"#) && dry.stdout.contains(#""bad":1"#), "\(dry)")
    for time in 1...2 {
      let run = try shop.ctl(
        "stock", "import", file, "--yes", "--json", "--reason", "a delivery", "--actor", "ada")
      #expect(run.status == 12)
      let reasons = ["TOO_FEW_AVAILABLE", "UNKNOWN_SKU", "BAD_ROW"]
      for reason in reasons { #expect(run.stdout.contains(reason), "\(run.stdout)") }
      #expect(run.stdout.contains(time == 1 ? #""done":1"# : #""done_before":1"#))
    }
    #expect(try await shop.stock("a").figures.available == 15)
    let event = try shop.ctl("events", "tail", "--from-earliest", "--sku", "a", "--count", "2")
    #expect(event.stdout.contains("event_type=STOCK_ADJUSTED"), "\(event.stdout)")
    shop.close()
  }

  @Test("no server, and one that goes in between: the file is not written")
  func away() async throws {
    let file = "\(path).csv"
    let said = try Program.run(
      "stockctl",
      ["stock", "export", "--out", file, "--address", "127.0.0.1:\(freePort())"])
    #expect(said.status == 7 && said.stderr.contains("\(file) was not written"), "\(said)")
    #expect(!FileManager.default.fileExists(atPath: file))
  }
}
