import Foundation
import Harness
import RPC
import Testing
import Wire

@testable import stockctl

/// Stock out of files, as a merchant with a spreadsheet meets it.
@Suite("stockctl stock import")
struct ImportTests {
  /// A file that vanishes with its owner.
  private final class Paper {
    let path: String
    init(_ text: String, _ ending: String = "csv") throws {
      path = "/tmp/import-\(UUID().uuidString).\(ending)"
      try Data(text.utf8).write(to: URL(filePath: path))
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  private func objects(_ text: String) throws -> [[String: Any]] {
    try text.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  private func many(_ count: Int) -> String {
    "sku,available\n" + (1...count).map { "s-\($0),\($0)\n" }.joined()
  }

  @Test(
    "CSV as RFC 4180 has it, and what is not",
    arguments: [
      ("a,b\r\n1,2\r\n", ["1: a|b", "2: 1|2"]), ("a,b\n1,2", ["1: a|b", "2: 1|2"]),
      ("\u{FEFF}a\n\n\nb\n", ["1: a", "4: b"]), (",\n", ["1: |"]), ("", []), ("\n\n", []),
      ("\"a,\"\"b\"\"\",c", ["1: a,\"b\"|c"]), ("\"a\nb\",c\nd,e", ["1: a\nb|c", "3: d|e"]),
      ("\"a\"\r\nb", ["1: a", "2: b"]), ("\"\",\"\"", ["1: |"]),
      ("x\n\"a,1\nb,2\nc,3\n", ["1: x", "2! 1 missing", "3: b|2", "4: c|3"]),
      ("\"a,1\nb,2\nc,\"3\"\n", ["1! 1 follows", "2: b|2", "3: c|3"]),
      ("a\"b,c\nd", ["1! 1 within", "2: d"]), ("c,\"a\"b\nd", ["1! 2 follows", "2: d"]),
      ("a\rb\n", ["1: a\rb"]),
    ] as [(String, [String])])
  func records(text: String, expected: [String]) {
    let found = DelimitedText(Array(text.utf8)).map { record in
      switch record.content {
      case .success(let values): "\(record.line): \(values.joined(separator: "|"))"
      case .failure(let fault):
        "\(record.line)! \(fault.column) "
          + (["missing", "follows", "within"].first { fault.sentence.contains($0) } ?? "?")
      }
    }
    #expect(found == expected)
  }

  @Test("what is written is read again, whatever it holds")
  func roundTrip() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<500 {
      let values = (0..<Int.random(in: 2...4)).map { _ in
        String(
          (0..<Int.random(in: 0...6)).map { _ in "ab,\"\n\r ü".randomElement(using: &random)! })
      }
      let line = DelimitedText.line(values)
      let records = Array(DelimitedText(Array("\(line)\r\nnext".utf8)))
      guard case .success(let read)? = records.first?.content, records.count == 2 else {
        Issue.record("\(values)")
        continue
      }
      #expect(read == values)
    }
  }

  @Test("bad rows are named with line and column, and no good row is lost")
  func badRows() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    _ = try shop.redis.cli("SET", "stock:closed", "junk")
    let paper = try Paper(
      """
      note,sku,available,state
      ok,good-1,5,
      bad,a b,5,
      bad,good-2,12x,
      "unclosed,good-3,3,
      short,good-4
      "a, quoted",good-5,7,ON_SALE
      off,good-6,9,RETIRED
      twice,good-1,6,
      shut,closed,4,
      much,good-7,1000000000001,
      ok,good-8,0,

      """)
    let long = RowText(line: 1, values: ["sku": String(repeating: "x", count: 129)]).refusal()
    let shown = RowText.quotedColumnsMax - 1
    #expect(long.hasPrefix("'\(String(repeating: "x", count: shown))…' is no SKU"), "\(long)")
    let rejects = "\(paper.path).rejects"
    defer { try? FileManager.default.removeItem(atPath: rejects) }
    let dry = try shop.ctl("stock", "import", paper.path, "--dry-run", "--json")
    #expect(dry.status == 12)
    #expect(try objects(dry.stdout).last?["new"] as? Int == 4, "\(dry)")
    #expect(try shop.ctl("stock", "get", "good-1").status == 5, "a dry run changes nothing")
    let nowhere = try shop.ctl("stock", "import", paper.path, "--rejects", "/nowhere/rejects.csv")
    #expect(nowhere.status == 15, "\(nowhere)")
    #expect(nowhere.stderr.contains("No such file or directory; nothing was changed"), "\(nowhere)")
    #expect(try shop.ctl("stock", "get", "good-1").status == 5, "found out before the first row")

    let run = try shop.ctl("stock", "import", paper.path, "--json", "--rejects", rejects)
    let said = try objects(run.stdout)
    #expect(run.status == 12)
    let places = said.dropLast().map { "\($0["line"] ?? "") \($0["column"] ?? "")" }
    #expect(
      places == ["3 sku", "4 available", "5 note", "6 ", "9 sku", "10 ", "11 available"], "\(run)")
    #expect(said.dropLast().contains { $0["reason"] as? String == "STOCK_MISMATCH" })
    let sums = said.last ?? [:]
    #expect(sums["done"] as? Int == 3 && sums["bad"] as? Int == 7)
    #expect(sums["left_alone"] as? Int == 1 && sums["left"] as? Int == 0)
    #expect(try await shop.stock("good-1").figures.available == 5)
    #expect(try await shop.stock("good-5").figures.available == 7)
    #expect(try await shop.stock("good-8").figures.available == 0)
    let kept = try String(contentsOfFile: rejects, encoding: .utf8).split(separator: "\n")
    #expect(kept.count == 8 && kept[0] == "note,sku,available,state" && kept[2].contains("12x"))
    for text in ["", "sku\nx\n", "available,sku,sku\n1,x,y\n", "\"sku,available\n"] {
      let wrong = try Paper(text)
      let said = try withExtendedLifetime(wrong) { try shop.ctl("stock", "import", wrong.path) }
      #expect(said.status == 64 && !said.stderr.contains("cannot be read"), "\(text): \(said)")
    }
    #expect(try shop.ctl("stock", "import", "/nowhere.csv").status == 64)
    shop.close()
  }

  @Test(
    "asks before stock that is there; again it does nothing twice, and under another name it does")
  func twice() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    try await shop.supply(1, of: "a")
    let paper = try Paper(
      #"{"sku":"a","available":5}"# + "\n" + #"{"sku":"b","available":6}"#, "jsonl")
    let script = try shop.ctl("stock", "import", paper.path)
    #expect(script.status == 64 && script.stderr.contains("1 SKU has other stock now, 1 is new"))
    let asked = try TerminalSession(
      "stockctl", ["stock", "import", paper.path, "--address", "\(shop.address)"])
    try await asked.wait(for: "Go on? [y/N]")
    asked.type("n\n")
    #expect(try asked.end().status == 13)
    #expect(try await shop.stock("a").figures.available == 1)

    let first = try shop.ctl("stock", "import", paper.path, "--yes", "--json")
    #expect(first.status == 0)
    #expect(try objects(first.stdout)[0]["done"] as? Int == 2)
    let client = shop.client()
    _ = try await client.call(ReserveRequest.of("k", sku: "a"))
    await client.close()
    let second = try shop.ctl("stock", "import", paper.path, "--yes", "--json")
    #expect(try objects(second.stdout)[0]["done_before"] as? Int == 2)
    #expect(second.stderr.contains("say --run NAME"))
    #expect(try await shop.stock("a").figures.available == 4, "what was sold stays sold")
    let input = try Program.run(
      "bash",
      [
        "-c", #""$0" stock import - --yes --run monday < "$1""#,
        try Program.executable(named: "stockctl"), paper.path,
      ], environment: ["STOCK_ADDRESS": "\(shop.address)"])
    #expect(input.status == 0 && input.stdout.contains("done=2"), "\(input)")
    #expect(try await shop.stock("a").figures.available == 5)
    for (row, column) in [
      (#"{"sku":"a"}"#, "available"), (#"{"sku":"a","available":-1}"#, "available"),
      (#"{"sku":7,"available":1}"#, "sku"), (#"{"sku":"a""#, ""), ("[]", ""),
      (#"{"sku":"a","available":1e99}"#, "available"),
      (#"{"sku":"a","available":"5"}"#, "available"),
    ] {
      let wrong = try Paper(row, "jsonl")
      let bad = try withExtendedLifetime(wrong) {
        try shop.ctl("stock", "import", wrong.path, "--json")
      }
      #expect(bad.status == 64, "\(row)")
      #expect(try objects(bad.stdout)[0]["column"] as? String == column, "\(row): \(bad.stdout)")
    }
    shop.close()
  }

  @Test(
    "a server that goes in the middle: what was done is said, and the same command does the rest")
  func serverGoes() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let rows = 5_000
    let paper = try Paper(many(rows))
    defer { withExtendedLifetime(paper) {} }
    let arguments = [
      "stock", "import", paper.path, "--json", "--in-flight", "4", "--timeout-ms", "1500",
      "--address", "\(shop.address)",
    ]
    let cut = try Program.start("stockctl", arguments)
    try await eventually("it has begun") { try shop.events("STOCK_SET") > 50 }
    try shop.server.terminate()
    #expect(cut.wait() == 12, "\(cut.log)")
    let sums = try #require(try objects(cut.output).last as? [String: Int])
    let (done, left) = (sums["done"] ?? 0, sums["left"] ?? 0)
    #expect(done > 0 && left > 0 && done + left + (sums["unknown"] ?? 0) == rows)
    #expect(cut.log.contains("of 5,000 rows are done"), "\(cut.log)")
    cut.stop()

    let server = try Program.start(
      "stockd",
      ["--listen", "\(shop.address)", "--redis", shop.redis.url, "--acknowledge", "memory"])
    defer { server.stop() }
    try await shop.ready()
    let rest = try Program.run("stockctl", arguments + ["--yes"])
    #expect(rest.status == 0, "\(rest.stderr)")
    let again = try #require(try objects(rest.stdout).last as? [String: Int])
    #expect((again["done"] ?? 0) + (again["done_before"] ?? 0) == rows)
    #expect(try shop.events("STOCK_SET") == rows, "each once")
    shop.close()
  }

  @Test("interrupted: ends what is in flight, says how far it came, and shows a bar meanwhile")
  func interrupted() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let paper = try Paper(many(60_000))
    defer { withExtendedLifetime(paper) {} }
    let session = try TerminalSession(
      "stockctl",
      [
        "stock", "import", paper.path, "--yes", "--in-flight", "1", "--address",
        "\(shop.address)",
      ],
      columns: 100)
    try await session.wait(for: "importing  [", timeout: .seconds(60))
    session.interrupt()
    let (status, screen) = try session.end()
    #expect(status == 130 && screen.contains("ETA"), "\(screen)")
    let said = try #require(
      screen.firstMatch(of: /([0-9,]+) of 60,000 rows are done, ([0-9,]+) are/))
    let counts = [said.1, said.2].map { Int($0.replacing(",", with: "")) ?? 0 }
    #expect(counts[0] + counts[1] == 60_000 && counts[0] > 0)
    #expect(try shop.events("STOCK_SET") == counts[0])
    let bars = screen.split(whereSeparator: \.isNewline).filter { $0.contains("ETA") }
    #expect(bars.allSatisfy { $0.replacing("\u{1B}[K", with: "").count <= 97 }, "room for ^C")
    shop.close()
  }

  @Test("interrupted before anything is done, while it looks up or asks: it says so, at once")
  func interruptedBefore() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    try await shop.supply(1, of: "s-2")
    let paper = try Paper(many(3))
    defer { withExtendedLifetime(paper) {} }
    let arguments = [
      "stock", "import", paper.path, "--timeout-ms", "60000", "--address", "\(shop.address)",
    ]
    func ends(_ session: TerminalSession) throws {
      session.interrupt()
      let (status, screen) = try session.end(timeout: .seconds(10))
      #expect(status == 130, "\(screen)")
      let last = screen.replacing("\u{1B}[K", with: "").split(whereSeparator: \.isNewline).last
      #expect(last == "stockctl: interrupted: nothing was changed", "\(screen)")
    }
    let asked = try TerminalSession("stockctl", arguments)
    try await asked.wait(for: "Go on? [y/N]")
    try ends(asked)
    shop.server.pause()
    for more in [[], ["--dry-run"]] {
      let looking = try TerminalSession("stockctl", arguments + more)
      try await looking.wait(for: "looking up")
      try ends(looking)
    }
    shop.server.resume()
    #expect(try await shop.stock("s-2").figures.available == 1)
    #expect(try shop.ctl("stock", "get", "s-1").status == 5)
    shop.close()
  }

  @Test("a server that refuses everything is said once, and is no fault of the rows")
  func refusedAll() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    _ = try shop.redis.cli("CONFIG", "SET", "appendfsync", "everysec")
    try await eventually("nothing is sold") { try shop.ctl("health").status == 7 }
    let paper = try Paper(many(100))
    let run = try withExtendedLifetime(paper) {
      try shop.ctl("stock", "import", paper.path, "--yes", "--json")
    }
    #expect(run.status == 9, "\(run)")
    let sums = try #require(try objects(run.stdout).last as? [String: Int])
    #expect(sums["bad"] == 0 && sums["left"] == 100, "\(run)")
    #expect(run.stderr.contains("ACKNOWLEDGE_UNAVAILABLE"), "\(run)")
    shop.close()
  }

  @Test("no server: nothing was done, and it says so")
  func away() throws {
    let paper = try Paper(many(3))
    defer { withExtendedLifetime(paper) {} }
    for more in [[], ["--yes"], ["--dry-run"]] {
      let said = try Program.run(
        "stockctl",
        ["stock", "import", paper.path, "--address", "127.0.0.1:\(freePort())"] + more)
      #expect(said.status == 7 && said.stderr.contains("cannot be reached"), "\(said)")
    }
  }
}

extension RowText {
  /// Why it cannot be done; empty: it can.
  fileprivate func refusal() -> String {
    do throws(RowRefusal) { _ = try row() } catch { return error.fault.message }
    return ""
  }
}
