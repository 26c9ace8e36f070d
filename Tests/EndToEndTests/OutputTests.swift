import Foundation
import Harness
import Testing

@testable import stockctl

/// What a person sees, what a script reads, and what happens when neither can.
@Suite("stockctl: output")
struct OutputTests {
  private func shell(_ script: String, _ shop: Shop? = nil) throws -> Program.Outcome {
    let program = try Program.executable(named: "stockctl")
    return try Program.run(
      "bash", ["-c", script],
      environment: [
        "CTL": program, "STOCK_ADDRESS": shop.map { "\($0.address)" } ?? "127.0.0.1:1",
      ])
  }

  @Test("a reader that leaves is no failure, a full disk is one, and neither hides what was done")
  func pipes() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    try await shop.supply(1)
    let left = try shell(#""$CTL" errors | head -n 1; echo "${PIPESTATUS[0]}""#)
    #expect(left.stdout.hasSuffix("what to do\n0\n") && left.stderr.isEmpty, "\(left)")
    let closed = #"{ sleep 0.2; "$CTL" reserve x --qty 2 --user u; echo $? >&2; } | true"#
    #expect(try shell(closed, shop).stderr == "3\n", "sold out, though nobody reads it")
    let full = try shell(#""$CTL" stock get x > /dev/full"#, shop)
    #expect(full.status == 15 && full.stderr.contains("No space left on device"))
    let none = try shell(#""$CTL" stock get x >&-"#, shop)
    #expect(none.status == 15 && none.stderr.contains("Bad file descriptor"), "\(none)")
    #expect(try shell(#""$CTL" stock get x 2>&-"#, shop).status == 0)
    let both = try shell(#""$CTL" reserve x --qty 2 --user u > /dev/full"#, shop)
    #expect(both.status == 3 && both.stderr.contains("cannot be written"))
    for arguments in ["--help", "--version", "errors --json", "describe", "state --json"] {
      #expect(try shell("\"$CTL\" \(arguments) > /dev/full", shop).status == 15, "\(arguments)")
    }
    shop.close()
  }

  @Test("a stream whose reader leaves ends in order")
  func leftStream() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    for units in [5, 6, 7] { try await shop.supply(UInt64(units)) }
    let watch = #"set -o pipefail; "$CTL" events tail --from-earliest | head -n 1"#
    let run = try shell(watch, shop)
    #expect(run.status == 0 && run.stdout.contains("STOCK_SET"), "\(run)")
    shop.close()
  }

  @Test(
    "with --json every failure is one object on standard error",
    arguments: [
      ["dance", "--json"], ["stock", "get", "--json"],
      ["health", "--json", "--address", "nowhere"],
      ["bench", "--json", "--seconds", "-1"], ["events", "tail", "--json", "--type", "DANCE"],
      ["dead", "discard", "e", "--reason", "r", "--actor", "a", "--json"],
      ["health", "--json", "--context", "nobody"],
      ["health", "--json", "--address", "127.0.0.1:1"],
    ])
  func failures(arguments: [String]) throws {
    let said = try Program.run("stockctl", arguments)
    #expect(said.status == 64 || said.status == 7)
    let object = try JSONSerialization.jsonObject(with: Data(said.stderr.utf8)) as? [String: Any]
    #expect(object?["error"] is String && object?["message"] is String, "\(said)")
    #expect(said.stderr.split(separator: "\n").count == 1 && said.stdout.isEmpty)
  }

  @Test("a negative number is named where it is not understood", arguments: [[], ["--json"]])
  func negative(json: [String]) throws {
    let said = try Program.run("stockctl", ["stock", "set", "tea", "-3"] + json)
    #expect(said.status == 64 && said.stderr.contains("'-3' was taken for an option"), "\(said)")
    let moved = try Program.run("stockctl", ["stock", "adjust", "--by", "-3"] + json)
    #expect(moved.status == 64 && !moved.stderr.contains("taken"), "\(moved)")
  }

  @Test("colours on a terminal alone, and not against a person's wish")
  func colours() throws {
    func screen(_ environment: [String: String]) throws -> String {
      try TerminalSession("stockctl", ["errors", "7"], environment: environment).end().screen
    }
    #expect(try screen(["NO_COLOR": ""]).contains("\u{1B}[1m"))
    #expect(try !screen(["NO_COLOR": "1"]).contains("\u{1B}"))
    #expect(try !screen(["NO_COLOR": "", "TERM": "dumb"]).contains("\u{1B}"))
    #expect(try !Program.run("stockctl", ["errors"]).stdout.contains("\u{1B}"))
    let narrow = try TerminalSession("stockctl", ["errors"], columns: 70).end().screen
    let lines = narrow.split(separator: "\r\n")
    #expect(lines.allSatisfy { $0.count <= 70 }, "\(narrow)")
    #expect(!narrow.replacing("hold:H-…", with: "").contains("…"), "nothing is cut: \(narrow)")
    #expect(narrow.contains("what_to_do  make room, and look at what was done; do not repeat"))
    let away = ["health", "--address", "127.0.0.1:1"]
    let failure = try TerminalSession("stockctl", away, columns: 40).end().screen
    #expect(failure.split(separator: "\r\n").count == 3, "\(failure)")
    #expect(failure.split(separator: "\r\n").allSatisfy { $0.count <= 40 }, "\(failure)")
    let said = try TerminalSession(
      "stockctl", ["errors"], columns: 70, environment: ["COLUMNS": "90"])
    #expect(
      try said.end().screen.split(separator: "\r\n").contains { (71...90).contains($0.count) })
  }

  @Test("who waits for more than a second sees for what, and for how long still")
  func waiting() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    shop.server.pause()
    let arguments = ["stock", "get", "x", "--address", "\(shop.address)", "--timeout-ms", "2500"]
    let session = try TerminalSession("stockctl", arguments)
    try await session.wait(for: "waiting for \(shop.address)  0:01 of at most 0:03")
    let (status, screen) = try session.end()
    #expect(status == 8 && screen.contains("NO_ANSWER"), "\(screen)")
    let silent = try Program.run("stockctl", arguments)
    #expect(!silent.stderr.contains("waiting"), "only a terminal shows it")
    shop.server.resume()
    shop.close()
  }

  @Test("asked first: yes does it, anything else does nothing, and a script has to say --yes")
  func confirmation() async throws {
    let office = try await Office.open()
    defer { office.close() }
    func discard(_ event: String) throws -> TerminalSession {
      try TerminalSession(
        "stockctl",
        [
          "dead", "discard", event, "--reason", "a test", "--actor", "ada", "--address",
          "\(office.address)",
        ])
    }
    try office.redis.cli(
      "XADD", "inventory.events", "*", "source", "1/t/1", "HOLD_FROZEN", "\u{1}x")
    var event = ""
    try await eventually("it is dead") {
      let list = try office.ctl("dead", "list", "--json").stdout.split(separator: "\n")
      let object = try JSONSerialization.jsonObject(with: Data(list[0].utf8)) as? [String: Any]
      event = object?["event_id"] as? String ?? ""
      return !event.isEmpty
    }
    for answer in ["n\n", "\n", "yess\n", "\u{4}"] {
      let asked = try discard(event)
      try await asked.wait(for: "One event would never be applied")
      asked.type(answer)
      let (status, screen) = try asked.end()
      #expect(status == 13 && screen.contains("nothing was done"), "\(answer): \(screen)")
    }
    let script = try office.ctl("dead", "discard", event, "--reason", "a test", "--actor", "ada")
    #expect(script.status == 64 && script.stderr.contains("say --yes"))
    #expect(!script.stderr.contains("Usage:"), "the command line is as it should be")
    #expect(try office.ctl("dead", "show", event).status == 0, "it is still there")
    let sure = try discard(event)
    try await sure.wait(for: "[y/N]")
    sure.type("y\n")
    #expect(try sure.end().status == 0)
    #expect(try office.ctl("dead", "show", event).status == 5)
  }

  @Test("texts of others neither break a line nor reach the terminal's commands")
  func harmless() {
    #expect("a\nb\u{1B}[2Jc\td\u{9B}".onOneLine == "a\\nb\\u{1B}[2Jc\\td\\u{9B}")
    #expect("ada\u{202E}bob\u{FEFF}".onOneLine == "ada\\u{202E}bob\\u{FEFF}")
    #expect("Grüße, 株".onOneLine == "Grüße, 株" && "Grüße, 株".columns == 9)
    #expect("株式会社".cut(to: 6) == "株式…" && "phone".cut(to: 5) == "phone")
    #expect("phone-case-red".cutInside(to: 9) == "phon…-red", "names that end differently stay so")
    #expect("phone-case-red".cutInside(to: 14) == "phone-case-red")
    #expect("株式会社".cutInside(to: 6) == "株…社" && "phone".cutInside(to: 1) == "…")
    #expect("e\u{301}".columns == 1 && "phone-case".cut(to: 6) == "phone…")
    var table = Table(["sku", "units"], numeric: [1])
    table.add(["a-very-long-name-of-a-sku", "12"])
    #expect(table.lines(width: nil)[1] == "a-very-long-name-of-a-sku     12")
    #expect(table.lines(width: 20) == ["sku            units", "a-very…-a-sku     12"])
    var history = Table([("time", .time), ("cause", .word), ("hold id", .text), ("stream", .text)])
    history.add(["2026-11-27T11:40:36Z", "HOLD_CANCELLED", "H-0123456789-42", "1795-0"])
    #expect(history.fitted(to: 61).leftOut.isEmpty && !history.lines(width: 61)[1].contains("…"))
    #expect(
      history.lines(width: 54)[1] == "2026-11-27T11:40:36Z  HOLD_CANCELLED  H-01…-42  1795-0")
    #expect(history.lines(width: 50)[1] == "11-27T11:40:36Z  HOLD_CANCELLED  H-01…9-42  1795-0")
    #expect(history.fitted(to: 46).leftOut == ["stream"])
    #expect(history.lines(width: 46)[1] == "11-27T11:40:36Z  HOLD_CANCELLED  H-0123…789-42")
    #expect(history.lines(width: 32)[1] == "11-27T11:40:36Z  HOLD_CANCELLED")
    #expect(history.lines(width: 24)[1] == "11-27…0:36Z  HOLD_…ELLED")
    #expect("one two three".wrapped(to: 7) == ["one two", "three"] && "".wrapped(to: 9) == [""])
    #expect(1_234_567.grouped == "1,234,567" && (-12).grouped == "-12")
    #expect(1.counted("line") == "1 line" && 2_000.counted("line") == "2,000 lines")
    #expect(Progress.clock(7.4) == "0:07" && Progress.clock(3_725) == "1:02:05")
  }
}
