/// A file with one `name: value` a line: the part of YAML that settings need, and no more of it.
///
/// A `#` at the beginning or after a space begins a comment.  A value may stand in 'single quotes',
/// where '' is a quote, or in "double quotes", where \" is a quote and \\ a backslash.  Whatever
/// YAML would read otherwise (lists, mappings, several lines, anchors, tags) is refused.
struct SettingsFile {
  struct Entry: Equatable {
    let text: String
    let line: Int
  }

  private(set) var entries: [String: Entry] = [:]

  /// - Parameter path: for the errors, which name the line and never its value: it may be a secret.
  init(_ text: String, path: String) throws(SettingError) {
    var number = 0
    for line in text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false) {
      number += 1
      do throws(Fault) {
        guard let (name, value) = try Self.entry(String(line)) else { continue }
        guard entries.updateValue(Entry(text: value, line: number), forKey: name) == nil else {
          throw Fault("\(name) stands here twice")
        }
      } catch {
        throw SettingError("\(path):\(number): \(error.sentence)")
      }
    }
  }

  private struct Fault: Error {
    static let form = Fault("each line is 'name: value'")
    let sentence: String
    init(_ sentence: String) { self.sentence = sentence }
  }

  private typealias Scalars = Substring.UnicodeScalarView

  /// nil: nothing but space or a comment.
  private static func entry(_ line: String) throws(Fault) -> (name: String, value: String)? {
    var rest = line[...].unicodeScalars
    if rest.last == "\r" { rest.removeLast() }
    guard !isBlank(rest) else { return nil }
    let name = rest.prefix { ("a"..."z").contains($0) || ("0"..."9").contains($0) || $0 == "-" }
    rest = rest.dropFirst(name.count)
    guard !name.isEmpty, rest.popFirst() == ":", rest.isEmpty || isSpace(rest.first) else {
      throw .form
    }
    return (String(name), try value(rest.drop(while: isSpace)))
  }

  private static func value(_ text: Scalars) throws(Fault) -> String {
    switch text.first {
    case "'": try quoted(text, escape: "'")
    case "\"": try quoted(text, escape: "\\")
    default: try plain(text)
    }
  }

  private static func plain(_ text: Scalars) throws(Fault) -> String {
    var value = String.UnicodeScalarView()
    var before: Unicode.Scalar? = " "
    for scalar in text {
      if scalar == "#", isSpace(before) { break }
      // YAML would see a mapping within the value.
      if before == ":", isSpace(scalar) { throw .form }
      guard scalar == "\t" || scalar.value >= 0x20, scalar.value != 0x7F else { throw .form }
      value.append(scalar)
      before = scalar
    }
    while isSpace(value.last) { value.removeLast() }
    if let first = value.first, "[]{}&*!|>%@`,".unicodeScalars.contains(first) || value.last == ":"
    {
      throw Fault("\(Fault.form.sentence); this value needs quotes around it")
    }
    return String(value)
  }

  /// - Parameter escape: what stands before a quote that does not end the value.
  private static func quoted(_ text: Scalars, escape: Unicode.Scalar) throws(Fault) -> String {
    var rest = text
    let quote = rest.removeFirst()
    var value = String.UnicodeScalarView()
    while let scalar = rest.popFirst() {
      if scalar == escape, rest.first == quote || (escape == "\\" && rest.first == escape) {
        value.append(rest.removeFirst())
      } else if scalar == quote {
        guard isBlank(rest), rest.isEmpty || isSpace(rest.first) else {
          throw Fault("something follows the closing quote")
        }
        return String(value)
      } else if scalar == escape {
        throw Fault("a \\ stands only before \\ or \"")
      } else {
        value.append(scalar)
      }
    }
    throw Fault("the closing quote is missing on this line")
  }

  /// Whether nothing but space and a comment is left.
  private static func isBlank(_ text: Scalars) -> Bool {
    let rest = text.drop(while: isSpace)
    return rest.isEmpty || rest.first == "#"
  }

  private static func isSpace(_ scalar: Unicode.Scalar?) -> Bool { scalar == " " || scalar == "\t" }
}
