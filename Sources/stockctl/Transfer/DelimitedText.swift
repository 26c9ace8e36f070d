/// Records of comma-separated values (RFC 4180), out of bytes that may hold anything.
///
/// A record that is wrong is a fault of its own line: reading goes on at the line after the one on
/// which it began, so that a quote which somebody forgot costs that record and no good one.
struct DelimitedText: Sequence, IteratorProtocol {
  /// What stands on one or, within quotes, several lines.
  struct Record {
    /// The first line, from 1.
    let line: Int
    /// The bytes, without the end of the line.
    let range: Range<Int>
    let content: Result<[String], Fault>
  }

  /// What is wrong with a record.
  struct Fault: Error, Equatable {
    /// The value, from 1; 0: the record as a whole.
    let column: Int
    let sentence: String
  }

  private let bytes: [UInt8]
  private var place: Int
  private var line = 1

  private static let quote = UInt8(ascii: "\"")
  private static let newline = UInt8(ascii: "\n")

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    // Spreadsheets begin a file with a byte order mark.
    place = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
  }

  /// The next record; nil: there are no more.  Empty lines are none.
  mutating func next() -> Record? {
    while place < bytes.count {
      let (start, first) = (place, line)
      do throws(Fault) {
        let values = try record()
        if values == [""] { continue }
        return Record(
          line: first, range: start..<end(before: place), content: .success(values))
      } catch {
        place = bytes[start...].firstIndex(of: Self.newline).map { $0 + 1 } ?? bytes.count
        line = first + 1
        return Record(line: first, range: start..<end(before: place), content: .failure(error))
      }
    }
    return nil
  }

  private mutating func record() throws(Fault) -> [String] {
    var values: [String] = []
    while true {
      let value =
        at(place) == Self.quote
        ? try quoted(column: values.count + 1) : try plain(column: values.count + 1)
      values.append(value)
      switch at(place) {
      case UInt8(ascii: ","): place += 1
      case Self.newline?:
        place += 1
        line += 1
        return values
      default: return values
      }
    }
  }

  private mutating func plain(column: Int) throws(Fault) -> String {
    let start = place
    while let byte = at(place), byte != UInt8(ascii: ","), byte != Self.newline {
      guard byte != Self.quote else {
        throw Fault(
          column: column, sentence: "a quote within a value: quote the whole, and double the quote")
      }
      place += 1
    }
    var end = place
    let isLast = at(place) != UInt8(ascii: ",")
    if isLast, end > start, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
    return try text(bytes[start..<end], column)
  }

  private mutating func quoted(column: Int) throws(Fault) -> String {
    var value: [UInt8] = []
    place += 1
    while let byte = at(place) {
      place += 1
      if byte == Self.newline { line += 1 }
      guard byte == Self.quote else {
        value.append(byte)
        continue
      }
      if at(place) == Self.quote {
        value.append(byte)
        place += 1
        continue
      }
      if at(place) == UInt8(ascii: "\r"), at(place + 1) ?? Self.newline == Self.newline {
        place += 1
      }
      guard [UInt8(ascii: ","), Self.newline, nil].contains(at(place)) else {
        throw Fault(column: column, sentence: "something follows the closing quote")
      }
      return try text(value[...], column)
    }
    throw Fault(column: column, sentence: "the closing quote is missing")
  }

  private func text(_ bytes: ArraySlice<UInt8>, _ column: Int) throws(Fault) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw Fault(column: column, sentence: "not UTF-8")
    }
    return text
  }

  private func at(_ place: Int) -> UInt8? { place < bytes.count ? bytes[place] : nil }

  /// Before the end of a line that ends at `place`.
  private func end(before place: Int) -> Int {
    var end = place
    if end > 0, bytes[end - 1] == Self.newline { end -= 1 }
    if end > 0, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
    return end
  }

  /// One line, without its end.
  static func line(_ values: [String]) -> String {
    values.map { value in
      let special = value.utf8.contains {
        [quote, newline, UInt8(ascii: ","), UInt8(ascii: "\r")].contains($0)
      }
      guard special else { return value }
      return "\"" + value.map { $0 == "\"" ? "\"\"" : String($0) }.joined() + "\""
    }.joined(separator: ",")
  }
}
