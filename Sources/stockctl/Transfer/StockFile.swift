import ArgumentParser
import FoundationEssentials
import Glibc
import Inventory
import Wire

/// How rows are written down.
enum StockFormat: String, CaseIterable, ExpressibleByArgument {
  case csv
  case jsonl
}

/// A file of stock: its good rows, its bad ones, and what it is known by.
struct StockFile {
  /// Longer files are refused: in parts each is done or not, and a person can look at it.
  static let bytesMax = 64 * 1024 * 1024

  private(set) var rows: [StockRow] = []
  private(set) var faults: [RowFault] = []
  /// Rows that are not for sale, by their own state.
  private(set) var leftAlone = 0
  /// Of all bytes: the same file is known again.
  let digest: String

  private let bytes: [UInt8]
  private let format: StockFormat
  private var header: Range<Int>?
  /// Where each line's record stands.
  private var ranges: [Int: Range<Int>] = [:]
  private var lines: [SKU: Int] = [:]

  /// - Parameter path: `-` is standard input.
  /// - Parameter format: nil: by the name, or by the first character.
  /// - Throws: `ValidationError` when there is nothing to read, or no way to read it.
  init(path: String, format: StockFormat?) throws {
    let bytes = try Self.read(path)
    try self.init(bytes, format: format ?? Self.format(of: path, bytes))
  }

  init(_ bytes: [UInt8], format: StockFormat) throws {
    (self.bytes, self.format) = (bytes, format)
    digest = Identity().content(bytes)
    switch format {
    case .csv: try readValues()
    case .jsonl: readObjects()
    }
  }

  /// The records of some lines, as they were, with the line that names the columns.
  func text(ofLines lines: [Int]) -> [UInt8] {
    let parts = [header].compactMap(\.self) + lines.compactMap { ranges[$0] }
    return parts.flatMap { bytes[$0] + [UInt8(ascii: "\n")] }
  }

  private mutating func readValues() throws {
    var names: [String]?
    for record in DelimitedText(bytes) {
      guard let names else {
        names = try Self.names(record)
        header = record.range
        continue
      }
      ranges[record.line] = record.range
      switch record.content {
      case .success(let values) where values.count == names.count:
        take(RowText(line: record.line, values: .init(zip(names, values)) { first, _ in first }))
      case .success(let values):
        let said = "\(values.count) values, where the first line names \(names.count)"
        faults.append(RowFault(line: record.line, said))
      case .failure(let fault):
        let column = names.indices.contains(fault.column - 1) ? names[fault.column - 1] : ""
        faults.append(RowFault(line: record.line, column: column, fault.sentence))
      }
    }
    guard names != nil else { throw ValidationError("the file is empty") }
  }

  private static func names(_ record: DelimitedText.Record) throws -> [String] {
    let rule = "the first line names the columns: sku, and available or delta"
    guard case .success(let values) = record.content else { throw ValidationError(rule) }
    let names = values.map { $0.lowercased() }
    guard names.count(where: { $0 == "sku" }) == 1,
      names.count(where: { ["available", "delta"].contains($0) }) == 1
    else { throw ValidationError(rule) }
    return names
  }

  private mutating func readObjects() {
    var (line, place) = (0, 0)
    for text in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      line += 1
      let range = place..<place + text.count
      place = range.upperBound + 1
      guard text.contains(where: { !Unicode.Scalar($0).properties.isWhitespace }) else { continue }
      ranges[line] = range
      do {
        let row = try JSONDecoder().decode(ObjectRow.self, from: Data(text))
        take(RowText(line: line, values: row.values))
      } catch let error as DecodingError {
        let (column, message) = error.place
        faults.append(RowFault(line: line, column: column, message))
      } catch {
        faults.append(RowFault(line: line, "not a JSON object"))
      }
    }
  }

  private mutating func take(_ text: RowText) {
    do throws(RowRefusal) {
      guard let row = try text.row() else { return leftAlone += 1 }
      if let line = lines[row.sku] {
        faults.append(
          RowFault(line: row.line, column: "sku", "\(row.sku) stands in line \(line) already"))
        return
      }
      lines[row.sku] = row.line
      rows.append(row)
    } catch {
      faults.append(error.fault)
    }
  }

  private static func format(of path: String, _ bytes: [UInt8]) -> StockFormat {
    if path.hasSuffix(".csv") { return .csv }
    if [".json", ".jsonl", ".ndjson"].contains(where: path.hasSuffix) { return .jsonl }
    return bytes.first == UInt8(ascii: "{") ? .jsonl : .csv
  }

  private static func read(_ path: String) throws -> [UInt8] {
    let file = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      throw ValidationError("\(path) cannot be read: \(String(cString: strerror(errno)))")
    }
    defer { close(file) }
    var (bytes, part) = ([UInt8](), [UInt8](repeating: 0, count: 64 * 1024))
    while true {
      let count = Glibc.read(file, &part, part.count)
      if count == 0 { return bytes }
      guard count > 0 else {
        throw ValidationError("\(path) cannot be read: \(String(cString: strerror(errno)))")
      }
      bytes.append(contentsOf: part[..<count])
      guard bytes.count <= bytesMax else {
        throw ValidationError("\(path) is longer than \(bytesMax.grouped) bytes: take it in parts")
      }
    }
  }
}

/// A line of JSON as a row.
private struct ObjectRow: Decodable {
  private enum Name: String, CodingKey {
    case sku, available, delta, state
  }

  let values: [String: String]

  init(from decoder: any Decoder) throws {
    let object = try decoder.container(keyedBy: Name.self)
    var values = ["sku": try object.decode(String.self, forKey: .sku)]
    let order: Name = object.contains(.delta) && !object.contains(.available) ? .delta : .available
    // What is a number, but none of units, is shown as it is.
    values[order.rawValue] =
      if let units = try? object.decode(Int64.self, forKey: order) {
        "\(units)"
      } else {
        "\(try object.decode(Double.self, forKey: order))"
      }
    values["state"] = try object.decodeIfPresent(String.self, forKey: .state)
    self.values = values
  }
}

extension DecodingError {
  /// The field at fault, and a sentence.
  fileprivate var place: (column: String, message: String) {
    switch self {
    case .keyNotFound(let key, _): return (key.stringValue, "is missing")
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      return wrong(context.codingPath.last?.stringValue)
    case .dataCorrupted: return ("", "not a JSON object")
    @unknown default: return ("", "not a JSON object")
    }
  }

  private func wrong(_ field: String?) -> (String, String) {
    switch field {
    case nil: ("", "not a JSON object")
    case "available": ("available", "is not \(RowText.unitsRule)")
    case "delta": ("delta", "is not \(RowText.deltaRule)")
    case let field?: (field, "is not a text")
    }
  }
}
