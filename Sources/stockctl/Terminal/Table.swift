/// Columns for a person.  Numbers stand to the right.
///
/// Where lines have to fit, the widest text gives way, down to `columnsMin`; then times lose their
/// year; then the last text is left out; and words only when nothing else is left.
///
/// A list that goes on has the layout of its first rows (`layout`): the first are seen while the next are
/// being read.
struct Table {
  /// What a column holds.
  enum Kind {
    case text
    /// Never cut.
    case number
    /// `2026-11-27T11:40:35Z`, or empty.
    case time
    /// One of a few that the service uses: cut, it would say nothing.
    case word
  }

  /// No column of text becomes narrower.
  private static let columnsMin = 8

  private let headers: [String]
  private let kinds: [Kind]
  private var rows: [[String]] = []

  init(_ columns: [(header: String, kind: Kind)]) {
    headers = columns.map(\.header)
    kinds = columns.map(\.kind)
  }

  /// - Parameter numeric: the places of the columns that hold numbers; the others hold texts.
  init(_ headers: [String], numeric: Set<Int> = []) {
    self.init(headers.indices.map { (headers[$0], numeric.contains($0) ? .number : .text) })
  }

  mutating func add(_ row: [String]) {
    precondition(row.count == headers.count)
    rows.append(row.map(\.onOneLine))
  }

  /// - Parameter width: columns of a line; nil: nothing is cut.
  /// - Returns: a line for the headers and one for each row; none without rows.
  func lines(width: Int?) -> [String] { fitted(to: width).lines }

  /// - Returns: the same, and the headers of the columns for which so narrow a line has no room.
  func fitted(to width: Int?) -> (lines: [String], leftOut: [String]) {
    guard !rows.isEmpty else { return ([], []) }
    let layout = layout(within: width)
    return ([headerLine(in: layout)] + lines(in: layout), leftOut(of: layout))
  }

  /// How these rows are laid out; rows of the same columns that come later can be laid out alike.
  func layout(within width: Int?) -> Layout { Layout(of: self, within: width ?? .max) }

  func headerLine(in layout: Layout) -> String { line(headers, in: layout, isHeader: true) }

  /// A line for each row.  What is wider than the rows for which the layout was made is cut as they were:
  /// texts and words where lines have to fit, numbers never.
  func lines(in layout: Layout) -> [String] { rows.map { line($0, in: layout) } }

  func leftOut(of layout: Layout) -> [String] {
    headers.indices.filter { !layout.columns.contains($0) }.map { headers[$0] }
  }

  private func line(_ row: [String], in layout: Layout, isHeader: Bool = false) -> String {
    var line = ""
    var used = 0
    for column in layout.columns {
      let gap = used > 0 ? 2 : 0
      let text = layout.hasYears ? row[column] : withoutYear(row[column], column)
      let isCut = layout.width != .max && kinds[column] != .number
      let wanted = isCut ? layout.widths[column] : max(layout.widths[column], text.columns)
      let left = min(wanted, layout.width - used - gap)
      guard left > 0 else { break }
      let shown = text.cutInside(to: left)
      let pad = String(repeating: " ", count: max(left - shown.columns, 0))
      let painted = Terminal.output.paint(shown, isHeader ? .bold : Paint.of(text))
      line += String(repeating: " ", count: gap)
      line += kinds[column] == .number ? pad + painted : painted + pad
      used += gap + shown.columns + pad.count
    }
    while line.last == " " { line.removeLast() }
    return line
  }

  private func withoutYear(_ text: String, _ column: Int) -> String {
    kinds[column] == .time && text.first?.isNumber == true
      ? String(text.drop { $0 != "-" }.dropFirst()) : text
  }
}

extension Table {
  /// Which columns are shown, and how wide.
  struct Layout {
    fileprivate private(set) var columns: [Int]
    fileprivate private(set) var widths: [Int] = []
    fileprivate private(set) var hasYears = true
    /// Columns of a line; the greatest number where nothing is cut.
    fileprivate let width: Int

    fileprivate init(of table: Table, within width: Int) {
      self.width = width
      columns = Array(table.headers.indices)
      var needed = table.widths
      while true {
        widths = needed
        giveWay(to: width) { table.kinds[$0] == .text }
        guard excess(over: width) > 0 else { return }
        if hasYears, table.kinds.contains(.time) {
          hasYears = false
          for column in columns where table.kinds[column] == .time {
            needed[column] = max(needed[column] - "2026-".count, table.headers[column].columns)
          }
        } else if let last = columns.dropFirst().last(where: { table.kinds[$0] == .text }) {
          columns.removeAll { $0 == last }
        } else {
          giveWay(to: width) { table.kinds[$0] != .number }
          return
        }
      }
    }

    private func excess(over width: Int) -> Int {
      columns.reduce(2 * (columns.count - 1)) { $0 + widths[$1] } - width
    }

    /// The widest of some becomes narrower, until all fits or none can.
    private mutating func giveWay(to width: Int, _ mayGive: (Int) -> Bool) {
      for _ in 0..<max(excess(over: width), 0) {
        guard let widest = columns.filter(mayGive).max(by: { widths[$0] < widths[$1] }),
          widths[widest] > Table.columnsMin
        else { return }
        widths[widest] -= 1
      }
    }
  }

  /// What each column needs.
  private var widths: [Int] {
    headers.indices.map { column in
      rows.reduce(headers[column].columns) { max($0, $1[column].columns) }
    }
  }
}
