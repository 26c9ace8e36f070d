import FoundationEssentials
import Inventory
import Wire

/// Prints results: for a person, or one JSON object a line.
struct Output {
  /// A value as JSON has it.
  enum Value: Encodable {
    case text(String)
    case number(Int64)
    case real(Double)
    case flag(Bool)
    case list([String])
    case pairs([[Int64]])
    case none

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .text(let text): try container.encode(text)
      case .number(let number): try container.encode(number)
      case .real(let real): try container.encode(real)
      case .flag(let flag): try container.encode(flag)
      case .list(let list): try container.encode(list)
      case .pairs(let pairs): try container.encode(pairs)
      case .none: try container.encodeNil()
      }
    }

    /// On one line, without anything that a terminal would obey.
    var plain: String {
      switch self {
      case .text(let text): text.onOneLine
      case .number(let number): "\(number)"
      case .real(let real): "\(real)"
      case .flag(let flag): flag ? "yes" : "no"
      case .list(let list): list.joined(separator: "; ").onOneLine
      case .pairs, .none: ""
      }
    }

    var isNumber: Bool {
      switch self {
      case .number, .real: true
      default: false
      }
    }
  }

  typealias Fields = [(name: String, value: Value)]

  let json: Bool

  /// A name and a value a line.
  func print(_ fields: Fields) {
    guard !json else { return StandardOutput.line(Self.object(fields)) }
    let width = fields.map(\.name.count).max() ?? 0
    for (name, value) in fields {
      let text = Self.shown(name, value)
      guard !text.isEmpty else { continue }
      let pad = String(repeating: " ", count: width - name.count)
      StandardOutput.line("\(name)\(pad)  \(Terminal.output.paint(text, Paint.of(text)))")
    }
  }

  /// All on one line, and at once: for what goes on until it is interrupted.
  func printLine(_ fields: Fields) {
    let plain = fields.map { name, value in
      let text = Self.shown(name, value)
      return "\(name)=\(Terminal.output.paint(text, Paint.of(text)))"
    }
    StandardOutput.line(json ? Self.object(fields) : plain.joined(separator: " "))
    StandardOutput.flush()
  }

  /// Rows with the same names, as a table, or as one object a line.
  func table(_ rows: [Fields]) {
    guard !json else { return rows.forEach { StandardOutput.line(Self.object($0)) } }
    guard let table = Self.table(of: rows) else { return }
    let (lines, leftOut) = table.fitted(to: Terminal.output.width)
    lines.forEach(StandardOutput.line)
    noteLeftOut(leftOut)
  }

  /// - Parameter columns: for which a table had no room.
  func noteLeftOut(_ columns: [String]) {
    guard !columns.isEmpty else { return }
    note("no room here for \(columns.joined(separator: ", ")); --json shows all")
  }

  /// The same for rows whose sentences are to be read: where the table does not fit, they stand one
  /// below the other, and nothing is cut.
  func reading(_ rows: [Fields]) {
    guard !json, let width = Terminal.output.width,
      let lines = Self.table(of: rows)?.lines(width: nil),
      lines.contains(where: { $0.columns > width })
    else { return table(rows) }
    for row in rows {
      let margin = (row.map(\.name.count).max() ?? 0) + 2
      for (name, value) in row {
        var head =
          Terminal.output.paint(name, .bold) + String(repeating: " ", count: margin - name.count)
        for line in value.plain.wrapped(to: width - margin) {
          StandardOutput.line(head + line)
          head = String(repeating: " ", count: margin)
        }
      }
      StandardOutput.line("")
    }
  }

  static func table(of rows: [Fields]) -> Table? {
    guard let first = rows.first else { return nil }
    var table = Table(
      first.indices.map { column in
        let name = first[column].name
        return if name.isTime {
          (name.heading, .time)
        } else if rows.contains(where: { $0[column].value.isNumber }) {
          (name.heading, .number)
        } else {
          (name.heading, name.isWord ? .word : .text)
        }
      })
    for row in rows { table.add(row.map { Self.shown($0.name, $0.value) }) }
    return table
  }

  /// A sentence beside results: what was done, what to do next.
  func note(_ sentence: String) {
    StandardError.line(Terminal.errors.fit("stockctl: \(sentence)"))
  }

  func failure(_ status: Status) {
    guard json else {
      let name = "stockctl:"
      let text = Terminal.errors.fit("\(name) \("\(status)".onOneLine)")
      return StandardError.line(
        Terminal.errors.paint(name, .red) + text.dropFirst(name.count))
    }
    StandardError.line(Self.object(Self.fields(of: status)))
  }

  /// The command line is wrong, or what it names is.
  func misuse(_ message: String) {
    StandardError.line(Self.object([("error", .text("USAGE")), ("message", .text(message))]))
  }

  static func fields(of status: Status) -> Fields {
    var fields: Fields = [
      ("error", .text(status.code.name)), ("reason", .text(status.reason)),
      ("message", .text(status.message)),
    ]
    if !status.field.isEmpty { fields.append(("field", .text(status.field))) }
    if status.outcomeUnknown { fields.append(("outcome_unknown", .flag(true))) }
    return fields
  }

  static func object(_ fields: Fields) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let pairs = Dictionary(fields.map { ($0.name, $0.value) }) { first, _ in first }
    guard let bytes = try? encoder.encode(pairs) else { return "{}" }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func shown(_ name: String, _ value: Value) -> String {
    guard name.isTime, case .number(let ms) = value else { return value.plain }
    return ms == 0 ? "" : Date(timeIntervalSince1970: Double(ms) / 1000).formatted(.iso8601)
  }
}

extension String {
  /// By its name, a value that is milliseconds since 1970.
  fileprivate var isTime: Bool { hasSuffix("_at") || self == "time" }
  /// By its name, a value of a few.
  fileprivate var isWord: Bool {
    ["cause", "change", "event_type", "outcome", "state", "status"].contains(self)
  }
  fileprivate var heading: String { split(separator: "_").joined(separator: " ") }
}

extension Output.Value {
  static func number(_ number: UInt64) -> Output.Value { .number(Int64(clamping: number)) }
  static func number(_ number: Int) -> Output.Value { .number(Int64(number)) }
}

extension HoldView {
  var fields: Output.Fields {
    let known: Output.Fields = [
      ("sku", .text(sku)), ("qty", .number(qty)), ("user_id", .text(userID)),
      ("idempotency_key", .text(idempotencyKey)),
    ]
    // Of one that is remembered in short there is nothing to say here.
    let isShort = sku.isEmpty
    return [("hold_id", .text(holdID)), ("status", .text(status?.name ?? "UNSPECIFIED"))]
      + (isShort ? [] : known)
      + [
        ("created_at", .number(createdAt)), ("expires_at", .number(expiresAt)),
        ("changed_at", .number(changedAt)), ("version", .number(version)),
      ] + (isShort ? [] : [("payment_ref", .text(paymentRef))]) + [("order_id", .text(orderID))]
  }
}

extension StockLevel {
  var fields: Output.Fields {
    [
      ("sku", .text(sku)), ("available", .number(figures.available)),
      ("held", .number(figures.held)), ("sold", .number(figures.sold)),
      ("supplied", .number(figures.supplied)), ("version", .number(figures.version)),
    ] + (figures.isRetired ? [("retired", .flag(true))] : [])
  }
}
