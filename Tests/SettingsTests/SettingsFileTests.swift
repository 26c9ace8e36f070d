import Testing

@testable import Settings

@Suite("The file of the settings")
struct SettingsFileTests {
  @Test(
    "what a line says",
    arguments: [
      ("name: value", "value"), ("name:   value  ", "value"), ("name:\tvalue", "value"),
      ("name:", ""), ("name: # nothing", ""), ("name: ''", ""), ("name: value # why", "value"),
      ("name: a#b", "a#b"), ("name: redis://u:p#x@h:1/0", "redis://u:p#x@h:1/0"),
      ("name: unix:/run/x.sock,[::1]:7420", "unix:/run/x.sock,[::1]:7420"),
      ("name: 'it''s # one'", "it's # one"), ("name: 'a'  # why", "a"), ("name: ' a '", " a "),
      (#"name: "a \"b\" \\c""#, #"a "b" \c"#), (#"name: '\'"#, #"\"#), ("name: value\r", "value"),
      ("name: two words", "two words"), ("name: é😀", "é😀"), ("name: -5", "-5"),
      ("name: ':group'", ":group"), ("name: :group", ":group"), ("name: '#x'", "#x"),
    ])
  func values(line: String, expected: String) throws {
    let file = try SettingsFile(line, path: "x.conf")
    #expect(file.entries == ["name": SettingsFile.Entry(text: expected, line: 1)])
  }

  @Test("nothing", arguments: ["", "\n\n", "# name: value", "   # name: value", " \t\r\n"])
  func nothing(text: String) throws {
    #expect(try SettingsFile(text, path: "x.conf").entries.isEmpty)
  }

  @Test(
    "what is refused: all that YAML would read otherwise, and what it would not read",
    arguments: [
      "name", "name value", "name:value", "name : value", " name: value", "Name: value",
      ": value", "- name: value", "name: [a]", "name: {a: b}", "name: |", "name: >", "name: &a b",
      "name: *a", "name: !t a", "name: a: b", "name: a:", "name: 'a", "name: \"a", "name: 'a'b",
      "name: 'a'#b", #"name: "a\n""#, "name: a\u{0}b", "name: a\u{1B}b", "'name': value", "---",
      "\u{FEFF}name: value", "?name: value",
    ])
  func refused(line: String) {
    #expect {
      try SettingsFile("other: 1\n\(line)", path: "x.conf")
    } throws: {
      "\($0)".hasPrefix("x.conf:2: ")
    }
  }

  @Test("lines are counted as an editor does, whatever ends them")
  func lines() throws {
    let file = try SettingsFile("# one\r\n\r\na: 1\r\n\nb: 2", path: "x.conf")
    #expect(file.entries["a"] == SettingsFile.Entry(text: "1", line: 3))
    #expect(file.entries["b"] == SettingsFile.Entry(text: "2", line: 5))
  }
}
