import Foundation
import Harness
import Inventory
import Testing
import Wire

@testable import stockctl

/// The list of what can go wrong is whole: WIRE.md, the sources and `stockctl errors` say the same.
@Suite("stockctl errors")
struct ErrorsTests {
  private static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
  }

  @Test("every row of WIRE.md, word for word")
  func wire() throws {
    let row = /\| ([A-Z_]+) \| ([A-Z_]+) \| (.+) \| (.+) \|/
    let told = try text("proto/WIRE.md").split(separator: "\n").compactMap { line in
      line.wholeMatch(of: row).map { match in
        [match.1, match.2, match.3, match.4].map { String($0).replacing("`", with: "") }
      }
    }
    #expect(told.count > 30)
    #expect(told == ErrorReason.wire.map { [$0.code.name, $0.reason, $0.when, $0.advice] })
  }

  @Test("every reason in the sources, and no other")
  func sources() throws {
    var found: Set<String> = []
    let walk = FileManager.default.enumerator(atPath: Self.root.appending(path: "Sources").path)
    for case let name as String in walk ?? .init() where name.hasSuffix(".swift") {
      for match in try text("Sources/\(name)").matches(of: /[rR]eason(?::| =) "([A-Z_]+)"/) {
        found.insert(String(match.1))
      }
    }
    #expect(found == Set(ErrorReason.all.map(\.reason)))
    #expect(ErrorReason.all.count == found.count, "each once")
  }

  @Test("each outcome and failure has its code, and an outcome of a newer server one of its own")
  func codes() {
    #expect(ExitReason(nil as Outcome?) == .otherVersion)
    #expect(ExitReason(Outcome.held) == .done && ExitReason(Outcome.soldOut) == .soldOut)
    #expect(ExitReason(code: .unimplemented, reason: "UNKNOWN_METHOD") == .otherVersion)
    #expect(ExitReason(code: .unavailable, reason: "STORE_FENCED") == .unreachable)
    #expect(ExitReason(code: .unavailable, reason: "CONNECTION_LOST") == .outcomeUnknown)
    let lost = Status(.internal, reason: "STORE_FAILED", message: "", outcomeUnknown: true)
    #expect(ExitReason(lost) == .outcomeUnknown)
  }

  @Test("printed: every code and reason, as a table and as JSON; one alone; the same in the manual")
  func printed() throws {
    let table = try Program.run("stockctl", ["errors"])
    let json = try Program.run("stockctl", ["errors", "--json"])
    #expect(table.status == 0 && json.status == 0)
    let objects = try json.stdout.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(objects.count == ExitReason.allCases.count + ErrorReason.all.count)
    #expect(objects.allSatisfy { $0["exit_code"] is Int && $0["what_to_do"] is String })
    for reason in ErrorReason.all { #expect(table.stdout.contains(" \(reason.reason) ")) }
    let one = try Program.run("stockctl", ["errors", "store_fenced"])
    #expect(
      one.stdout.contains("exit_code   7\n") && one.stdout.contains("reason      STORE_FENCED"))
    #expect(try Program.run("stockctl", ["errors", "TEAPOT"]).status == 64)
    let manual = try text("infra/deb/man/stockctl.1")
    for code in ExitReason.allCases { #expect(manual.contains("\n.It \(code.rawValue)\n")) }
  }
}
