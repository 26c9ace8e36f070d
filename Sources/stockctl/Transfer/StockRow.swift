import FoundationEssentials
import Inventory

/// One row of a file of stock: what is to become of a SKU.
struct StockRow: Equatable {
  /// What the row asks for.
  enum Order: Equatable {
    case set(available: UInt64)
    case adjust(by: Int64)
  }

  /// Where it stands, from 1.
  let line: Int
  let sku: SKU
  let order: Order
}

/// A row that cannot be done, and why.
struct RowFault: Equatable {
  let line: Int
  /// The name of the column, or its number; empty: the row as a whole.
  let column: String
  /// One word for a program: BAD_ROW, or the reason that the server gave.
  let reason: String
  /// A sentence for a person.
  let message: String

  init(line: Int, column: String = "", reason: String = "BAD_ROW", _ message: String) {
    (self.line, self.column, self.reason, self.message) = (line, column, reason, message)
  }

  var fields: Output.Fields {
    [
      ("line", .number(line)), ("column", .text(column)), ("reason", .text(reason)),
      ("message", .text(message)),
    ]
  }

  /// `line 17, available: …`
  var sentence: String { "line \(line)\(column.isEmpty ? "" : ", \(column)"): \(message)" }
}

/// The values of a row as they stand in a file, by the names of their columns.
struct RowText {
  let line: Int
  let values: [String: String]

  /// Columns of a value that a sentence shows.
  static let quotedColumnsMax = 40

  static let unitsRule = "a whole number from 0 to \(Limits.stockUnitsMax.grouped)"
  static let deltaRule = "a whole number, not 0, up to \(Limits.stockUnitsMax.grouped) either way"

  /// - Returns: nil where the row says of itself that it is not for sale.
  /// - Throws: `RowRefusal`
  func row() throws(RowRefusal) -> StockRow? {
    guard let sku = SKU(values["sku"] ?? "") else {
      throw fault(
        "sku", "\(Self.quoted(values["sku"] ?? "")) is no SKU: 1 to 128 of A-Z a-z 0-9 . _ - /")
    }
    if let state = values["state"], ["RETIRED", "CLOSED"].contains(state) { return nil }
    return StockRow(line: line, sku: sku, order: try order())
  }

  private func order() throws(RowRefusal) -> StockRow.Order {
    if let text = values["delta"] {
      guard let delta = Int64(text), delta != 0, delta.magnitude <= Limits.stockUnitsMax else {
        throw fault("delta", "\(Self.quoted(text)) is not \(Self.deltaRule)")
      }
      return .adjust(by: delta)
    }
    let text = values["available"] ?? ""
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let available = UInt64(text), available <= Limits.stockUnitsMax
    else { throw fault("available", "\(Self.quoted(text)) is not \(Self.unitsRule)") }
    return .set(available: available)
  }

  private func fault(_ column: String, _ message: String) -> RowRefusal {
    RowRefusal(fault: RowFault(line: line, column: column, message))
  }

  /// A value as a sentence shows it; of a long one the beginning.
  private static func quoted(_ text: String) -> String {
    "'\(text.onOneLine.cut(to: quotedColumnsMax))'"
  }
}

/// Carries a fault to where rows are collected.
struct RowRefusal: Error {
  let fault: RowFault
}
