import Foundation
import Testing

/// House rules that a reviewer would otherwise have to remember.
@Suite("Tidy")
struct TidyTests {
  struct SourceFile {
    let path: String
    let lines: [Substring]
  }

  static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Every file that a person wrote, with one of these endings.
  static func files(_ endings: Set<String>) throws -> [SourceFile] {
    var found: [SourceFile] = []
    for folder in ["Sources", "Tests", "clients", "infra", "proto"] {
      let walk = FileManager.default.enumerator(atPath: root.appending(path: folder).path)
      for case let name as String in walk ?? .init() {
        let path = "\(folder)/\(name)"
        guard endings.contains((name as NSString).pathExtension), !path.contains("CStockProto"),
          !path.contains("_pb2.py"), !path.contains("/build/")
        else { continue }
        let text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
        found.append(
          SourceFile(
            path: path, lines: text.split(separator: "\n", omittingEmptySubsequences: false)))
      }
    }
    return found
  }

  @Test("a file is one idea: 400 lines at most")
  func fileLength() throws {
    let files = try Self.files(["swift", "c", "h", "lua", "sql", "py", "sh"])
    #expect(files.count > 60, "the walk found the sources")
    for file in files {
      #expect(file.lines.count <= 401, "\(file.path): split by concern, not by size")
    }
  }

  @Test("lines fit beside another file")
  func lineLength() throws {
    for file in try Self.files(["c", "h", "lua", "sql", "py", "sh"]) {
      for (place, line) in file.lines.enumerated() where line.count > 110 {
        Issue.record("\(file.path):\(place + 1) has \(line.count) characters")
      }
    }
  }

  @Test("names say what a thing is")
  func names() throws {
    let vague = /(Utils?|Helpers?|Manager|Common)\b/
    for file in try Self.files(["swift", "c", "h"]) {
      let name = (file.path as NSString).lastPathComponent
      #expect(name.firstMatch(of: vague) == nil, "\(file.path)")
      let declared = /\b(class|struct|enum|actor|protocol) \w*(Utils?|Helper|Manager)\b/
      // The expression looks at few lines: it is slow.
      for line in file.lines where ["Util", "Helper", "Manager"].contains(where: line.contains) {
        #expect(line.firstMatch(of: declared) == nil, "\(file.path): \(line)")
      }
    }
  }

  @Test("a promise that the compiler does not check has its proof in the line before")
  func unchecked() throws {
    let promise = "@unchecked" + " Sendable"
    for file in try Self.files(["swift"]) {
      for (place, line) in file.lines.enumerated() where line.contains(promise) {
        let before = place > 0 ? file.lines[place - 1] : ""
        #expect(before.contains("//"), "\(file.path):\(place + 1)")
      }
    }
  }

  @Test("every script and statement is used")
  func embedded() throws {
    let swift = try Self.files(["swift"]).filter { $0.path.hasPrefix("Sources/") }
      .flatMap(\.lines)
    for file in try Self.files(["lua", "sql"]) where file.path.hasPrefix("Sources/") {
      let name = (file.path as NSString).lastPathComponent
      // As SwiftPM names it: no first digit, and nothing but letters and digits.
      var symbol = name.map { $0.isLetter || $0.isNumber ? $0 : "_" }
      if symbol[0].isNumber { symbol[0] = "_" }
      #expect(
        swift.contains { $0.contains("PackageResources.\(String(symbol))") },
        "\(file.path) is not used")
    }
  }
}
