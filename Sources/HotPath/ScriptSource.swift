/// The text of a script as Redis gets it: its files joined, and its constants in their places.
///
/// How it works.  Lua 5.1 knows no constants: a local is a variable that every function which names it
/// keeps hold of, and for each it walks the list of all open variables.  A line that gives literals to
/// names in capitals, `local HELD, REPEATED = 1, 2`, is left out, and its names are replaced by what
/// they stand for.  That is a sixth of Redis's instructions for a script with one operation, and a
/// fiftieth for each of 128.  Comments go too; lines stay where they are, for Redis's messages.
struct ScriptSource {
  /// What Redis is to load.
  private(set) var text = ""
  private var constants: [Substring: Substring] = [:]

  init(_ files: [[UInt8]]) {
    // The first line is for Redis, though it begins as no line of Lua does.
    let whole = files.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")
    let lines = whole.split(separator: "\n", omittingEmptySubsequences: false)
    for (number, line) in lines.enumerated() {
      let code = number == 0 && line.hasPrefix("#!") ? [line] : Self.tokens(line)
      if !declares(code) { text += code.map { constants[$0] ?? $0 }.joined() }
      text += "\n"
    }
  }

  /// Takes in a line that does nothing but give literals to names in capitals.
  private mutating func declares(_ code: [Substring]) -> Bool {
    let words = code.filter { $0.first != " " }
    guard words.first == "local", let equals = words.firstIndex(of: "=") else { return false }
    let names = words[1..<equals].split(separator: ",")
    let values = words[(equals + 1)...].split(separator: ",")
    guard names.count == values.count,
      names.allSatisfy({ $0.count == 1 && Self.isConstant($0.first!) }),
      values.allSatisfy({ $0.count == 1 && Self.isLiteral($0.first!) })
    else { return false }
    for (name, value) in zip(names, values) { constants[name.first!] = value.first! }
    return true
  }

  private static func isConstant(_ word: Substring) -> Bool {
    word.first!.isUppercase && word.allSatisfy { $0.isUppercase || $0.isNumber || $0 == "_" }
  }

  private static func isLiteral(_ word: Substring) -> Bool {
    word.first == "'" || word.allSatisfy(\.isNumber)
  }

  /// Words, strings, spaces and single signs, without the comment.
  private static func tokens(_ line: Substring) -> [Substring] {
    var tokens: [Substring] = []
    var rest = line
    while let first = rest.first, !rest.hasPrefix("--") {
      let end =
        if first == "'" {
          endOfString(rest)
        } else if isPartOfWord(first) {
          rest.firstIndex { !isPartOfWord($0) } ?? rest.endIndex
        } else if first == " " {
          rest.firstIndex { $0 != " " } ?? rest.endIndex
        } else {
          rest.index(after: rest.startIndex)
        }
      tokens.append(rest[..<end])
      rest = rest[end...]
    }
    return tokens
  }

  private static func isPartOfWord(_ sign: Character) -> Bool {
    sign.isLetter || sign.isNumber || sign == "_"
  }

  private static func endOfString(_ text: Substring) -> Substring.Index {
    var isEscaped = false
    for place in text.indices.dropFirst() {
      if !isEscaped, text[place] == "'" { return text.index(after: place) }
      isEscaped = !isEscaped && text[place] == "\\"
    }
    return text.endIndex
  }
}
