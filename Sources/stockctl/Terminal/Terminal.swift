import Glibc
import Inventory

/// What one of the three standard descriptors leads to.
struct Terminal {
  static let input = Terminal(STDIN_FILENO)
  static let output = Terminal(STDOUT_FILENO)
  static let errors = Terminal(STDERR_FILENO)

  private let descriptor: Int32
  /// A person sees it; else a file, a pipe or a program.
  let isTerminal: Bool
  /// Colours are for a person who has not said no (https://no-color.org).
  let isColoured: Bool

  private init(_ descriptor: Int32) {
    self.descriptor = descriptor
    isTerminal = isatty(descriptor) == 1
    isColoured =
      isTerminal && environment("NO_COLOR") == nil && environment("TERM") ?? "dumb" != "dumb"
  }

  /// Columns that a line may have: COLUMNS, or what the terminal says; nil where nobody looks:
  /// nothing is cut there.  Asked anew each time, since windows change.
  var width: Int? {
    guard isTerminal else { return nil }
    if let columns = environment("COLUMNS").flatMap({ Int($0) }), columns > 0 { return columns }
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  /// The sentence in lines that fit, where a person sees it.
  func fit(_ sentence: String) -> String {
    guard let width, sentence.columns > width else { return sentence }
    return sentence.wrapped(to: width).joined(separator: "\n")
  }

  /// The text in a colour, where there are colours.
  func paint(_ text: some StringProtocol, _ paint: Paint?) -> String {
    guard let paint, isColoured, !text.isEmpty else { return String(text) }
    return "\u{1B}[\(paint.rawValue)m\(text)\u{1B}[0m"
  }
}

/// How a text looks (ECMA-48, 8.3.117).
enum Paint: Int {
  case bold = 1
  case dim = 2
  case red = 31
  case green = 32
  case yellow = 33

  /// The colour of a word that the service uses; nil: none.
  static func of(_ word: some StringProtocol) -> Paint? {
    switch word {
    case "ACTIVE", "HELD", "SERVING", "LIVE", "BALANCED", "CONFIRMED", "NEW": .green
    case "SOLD_OUT", "EXPIRED", "DEGRADED", "UNDECIDED", "CANCELLED", "CHANGED", "REPEATED": .yellow
    case "NOT_SERVING", "DIFFERS", "FAILED", "UNKNOWN_SKU", "NO_SUCH_HOLD": .red
    default: nil
    }
  }
}

extension Unicode.Scalar {
  /// Columns that it takes on a terminal: none, one, or two
  /// (https://www.unicode.org/reports/tr11/).
  fileprivate var columns: Int {
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control: return 0
    default: break
    }
    switch value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
      0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF,
      0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }
}

extension StringProtocol {
  /// Columns that the text takes on a terminal.
  var columns: Int {
    if utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return utf8.count }
    return unicodeScalars.reduce(0) { $0 + $1.columns }
  }

  /// The beginning that fits, with an ellipsis where something is missing.
  func cut(to width: Int) -> String {
    guard columns > width else { return String(self) }
    var (taken, used) = (String.UnicodeScalarView(), 0)
    for scalar in unicodeScalars {
      used += scalar.columns
      guard used < width else { break }
      taken.append(scalar)
    }
    return String(taken) + "…"
  }

  /// Beginning and end, as much as fits, with an ellipsis between them: names that differ at one end stay
  /// different.
  func cutInside(to width: Int) -> String {
    guard columns > width else { return String(self) }
    var (end, used) = ([Unicode.Scalar](), 0)
    for scalar in unicodeScalars.reversed() {
      used += scalar.columns
      guard used <= (width - 1) / 2 else { break }
      end.append(scalar)
    }
    var tail = String.UnicodeScalarView()
    tail.append(contentsOf: end.reversed())
    let last = String(tail)
    return cut(to: width - last.columns) + last
  }

  /// In lines of at most so many columns, broken between words where that is possible.
  func wrapped(to width: Int) -> [String] {
    var lines = [""]
    for word in split(separator: " ") {
      let last = lines[lines.count - 1]
      if last.isEmpty {
        lines[lines.count - 1] = String(word)
      } else if last.columns + 1 + word.columns <= width {
        lines[lines.count - 1] = "\(last) \(word)"
      } else {
        lines.append(String(word))
      }
    }
    return lines
  }

  /// On one line, harmless to a terminal, and with nothing in it that hides or turns what is read: texts
  /// of users, Redis and PostgreSQL may hold anything.
  var onOneLine: String {
    func isControl(_ scalar: Unicode.Scalar) -> Bool {
      scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) || Label.hides(scalar)
    }
    guard unicodeScalars.contains(where: isControl) else { return String(self) }
    return unicodeScalars.reduce(into: "") { text, scalar in
      switch scalar {
      case "\n": text += "\\n"
      case "\t": text += "\\t"
      case _ where isControl(scalar):
        text += "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
      default: text.unicodeScalars.append(scalar)
      }
    }
  }
}
