/// Columns for a person.  Numbers stand to the right; where lines have to fit, the widest column of
/// text gives way.
struct Table {
  /// No column of text becomes narrower.
  private static let columnsMin = 8

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
    rows.append(row.map(\.onOneLine))
  }

  /// - Parameter width: columns of a line; nil: nothing is cut.
  /// - Returns: a line for the headers and one for each row; none without rows.
  func lines(width: Int?) -> [String] {
    guard !rows.isEmpty else { return [] }
    let widths = widths(within: width ?? .max)
    return ([headers] + rows).enumerated().map { number, row in
      var line = ""
      var used = 0
      for (column, text) in row.enumerated() {
        let gap = column > 0 ? 2 : 0
        let left = (width ?? .max) - used - gap
        guard left > 0 else { break }
        let shown = text.cutInside(to: min(widths[column], left))
        let pad = String(repeating: " ", count: max(min(widths[column], left) - shown.columns, 0))
        let painted = Terminal.output.paint(shown, number == 0 ? .bold : Paint.of(text))
        line += String(repeating: " ", count: gap)
        line += numeric.contains(column) ? pad + painted : painted + pad
        used += gap + shown.columns + pad.count
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }

  private func widths(within width: Int) -> [Int] {
    var widths = headers.indices.map { column in
      (rows + [headers]).map { $0[column].columns }.max() ?? 0
    }
    var excess = widths.reduce(2 * (widths.count - 1), +) - width
    while excess > 0 {
      let texts = widths.indices.filter { !numeric.contains($0) }
      guard let widest = texts.max(by: { widths[$0] < widths[$1] }),
        widths[widest] > Self.columnsMin
      else { break }
      widths[widest] -= 1
      excess -= 1
    }
    return widths
  }
}
