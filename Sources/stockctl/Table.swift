import Glibc

/// Columns for a person.  Numbers stand to the right; the widest column of text gives way when the
/// lines would be longer than the terminal.
struct Table {
  private let headers: [String]
  private let numeric: Set<Int>
  private var rows: [[String]] = []

  /// - Parameter numeric: the places of the columns that stand to the right.
  init(_ headers: [String], numeric: Set<Int> = []) {
    self.headers = headers
    self.numeric = numeric
  }

  mutating func add(_ row: [String]) {
    precondition(row.count == headers.count)
    rows.append(row)
  }

  /// - Returns: a line for the headers and one for each row; none without rows.
  func lines(width: Int) -> [String] {
    guard !rows.isEmpty else { return [] }
    var widths = headers.indices.map { column in
      (rows + [headers]).map { $0[column].count }.max() ?? 0
    }
    let gaps = 2 * (widths.count - 1)
    while widths.reduce(gaps, +) > width {
      let texts = widths.indices.filter { !numeric.contains($0) }
      guard let widest = texts.max(by: { widths[$0] < widths[$1] }), widths[widest] > 8 else {
        break
      }
      widths[widest] -= 1
    }
    return ([headers] + rows).map { row in
      var line = ""
      for (column, text) in row.enumerated() {
        let shown = text.count <= widths[column] ? text : text.prefix(widths[column] - 1) + "…"
        let pad = String(repeating: " ", count: widths[column] - shown.count)
        line += (column > 0 ? "  " : "") + (numeric.contains(column) ? pad + shown : shown + pad)
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }

  /// Columns of the terminal that is written to; else COLUMNS, else 80.
  static var terminalWidth: Int {
    var size = winsize()
    if ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 {
      return Int(size.ws_col)
    }
    return environment("COLUMNS").flatMap { Int($0) } ?? 80
  }
}
