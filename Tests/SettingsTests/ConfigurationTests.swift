import Foundation
import Testing

@testable import Settings

@Suite("One configuration: file, then environment, then flags")
struct ConfigurationTests {
  static var hold: Setting<Int> {
    .number("hold-ms", variable: "T_HOLD", standard: 300, in: 1...1_000, unit: "milliseconds")
  }
  static var url: Setting<String> {
    Setting(
      "url", variable: "T_URL", standard: "none", rule: "a URL",
      parse: { $0.contains("bad") ? nil : $0 },
      show: { $0.replacing(/:[^:@]*@/, with: ":…@") }, isSecret: { $0.contains("@") })
  }

  private func configuration(
    _ text: String?, environment: [String: String] = [:]
  ) throws -> (Configuration, String) {
    let path = NSTemporaryDirectory() + "settings-\(UUID().uuidString).conf"
    if let text { try text.write(toFile: path, atomically: true, encoding: .utf8) }
    defer { try? FileManager.default.removeItem(atPath: path) }
    let made = try Configuration(
      file: text == nil ? nil : path, usualFile: "/nonexistent", environment: environment)
    return (made, path)
  }

  @Test("the later wins, and the report says who it was")
  func precedence() throws {
    let text = "# a comment\nhold-ms: 100\n"
    var (nothing, _) = try configuration(nil)
    #expect(try nothing.value(of: Self.hold, flag: nil) == 300)
    #expect(nothing.report == "hold-ms: 300  # default")
    var (file, path) = try configuration(text)
    #expect(try file.value(of: Self.hold, flag: nil) == 100)
    #expect(file.report == "hold-ms: 100  # \(path):2")
    var (variable, _) = try configuration(text, environment: ["T_HOLD": "200"])
    #expect(try variable.value(of: Self.hold, flag: nil) == 200)
    #expect(variable.report.hasSuffix("# environment T_HOLD"))
    var (flag, _) = try configuration(text, environment: ["T_HOLD": "200"])
    #expect(try flag.value(of: Self.hold, flag: "400") == 400)
    #expect(flag.report.hasSuffix("# flag --hold-ms"))
  }

  @Test(
    "what cannot work is refused, and the place is named",
    arguments: [
      ("hold-ms: soon", ":1: hold-ms must be 1 to 1000 milliseconds"),
      ("\n\nhold-ms: 0", ":3: hold-ms must be"), ("hold-ms: [1, 2]", ":1: each line is"),
      ("just text", ":1: each line is"), ("hold-ms: 5\nhold: 6", ":2: hold is not a setting"),
      ("hold-ms: 5\nhold-ms: 6", ":2: hold-ms stands here twice"),
      ("\nhold-ms: \"5", ":2: the closing quote is missing"),
    ])
  func refused(text: String, expected: String) throws {
    do {
      var (configuration, _) = try configuration(text)
      _ = try configuration.value(of: Self.hold, flag: nil)
      try configuration.finish()
      Issue.record("it was accepted")
    } catch let error as SettingError {
      #expect(error.description.contains(expected), "\(error)")
    }
  }

  @Test("a file that the user names must exist; the usual one need not")
  func missingFile() throws {
    #expect(throws: SettingError.self) {
      try Configuration(file: "/nonexistent/x.conf", usualFile: "/nonexistent", environment: [:])
    }
    var (usual, _) = try configuration(nil)
    #expect(try usual.value(of: Self.hold, flag: nil) == 300)
  }

  @Test("a secret is not printed, and not taken from a command line")
  func secrets() throws {
    var (variable, _) = try configuration(nil, environment: ["T_URL": "redis://u:s3cret@h"])
    #expect(try variable.value(of: Self.url, flag: nil) == "redis://u:s3cret@h")
    #expect(!variable.report.contains("s3cret"))
    var (flag, _) = try configuration(nil)
    do {
      _ = try flag.value(of: Self.url, flag: "redis://u:s3cret@h")
      Issue.record("it was accepted")
    } catch {
      #expect(error.description.contains("T_URL") && !error.description.contains("s3cret"))
    }
    var (wrong, _) = try configuration("url: bad:s3cret@")
    do {
      _ = try wrong.value(of: Self.url, flag: nil)
      Issue.record("it was accepted")
    } catch {
      #expect(!error.description.contains("s3cret"))
    }
  }
}
