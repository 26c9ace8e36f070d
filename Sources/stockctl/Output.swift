import FoundationEssentials
import Glibc
import Inventory
import Wire

/// Prints results: a line for a person, or one JSON object a line.
struct Output {
  /// A value as JSON has it.
  enum Value: Encodable {
    case text(String)
    case number(Int64)
    case real(Double)
    case list([String])

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .text(let text): try container.encode(text)
      case .number(let number): try container.encode(number)
      case .real(let real): try container.encode(real)
      case .list(let list): try container.encode(list)
      }
    }

    var plain: String {
      switch self {
      case .text(let text): text
      case .number(let number): "\(number)"
      case .real(let real): "\(real)"
      case .list(let list): list.joined(separator: "; ")
      }
    }
  }

  typealias Fields = [(name: String, value: Value)]

  let json: Bool

  func print(_ fields: Fields) {
    guard !json else { return Swift.print(object(fields)) }
    let width = fields.map(\.name.count).max() ?? 0
    for (name, value) in fields where !value.plain.isEmpty {
      let pad = String(repeating: " ", count: width - name.count)
      Swift.print("\(name)\(pad)  \(name.hasSuffix("_at") ? moment(value) : value.plain)")
    }
  }

  /// All on one line, and at once: for what goes on until it is interrupted.
  func printLine(_ fields: Fields) {
    let plain = fields.map { "\($0.name)=\($0.value.plain)" }.joined(separator: " ")
    Swift.print(json ? object(fields) : plain)
    fflush(nil)
  }

  func failure(_ status: Status) {
    var fields: Fields = [
      ("error", .text(status.code.name)), ("reason", .text(status.reason)),
      ("message", .text(status.message)),
    ]
    if !status.field.isEmpty { fields.append(("field", .text(status.field))) }
    if status.outcomeUnknown { fields.append(("outcome_unknown", .text("true"))) }
    let line = json ? object(fields) : "stockctl: \(status)"
    var text = line + "\n"
    _ = text.withUTF8 { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }

  private func object(_ fields: Fields) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let pairs = Dictionary(fields.map { ($0.name, $0.value) }) { first, _ in first }
    guard let bytes = try? encoder.encode(pairs) else { return "{}" }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func moment(_ value: Value) -> String {
    guard case .number(let ms) = value else { return value.plain }
    return Date(timeIntervalSince1970: Double(ms) / 1000).formatted(.iso8601)
  }
}

extension Output.Value {
  static func number(_ number: UInt64) -> Output.Value { .number(Int64(clamping: number)) }
}

extension HoldView {
  var fields: Output.Fields {
    [
      ("hold_id", .text(holdID)), ("status", .text(status?.name ?? "UNSPECIFIED")),
      ("sku", .text(sku)), ("qty", .number(qty)), ("user_id", .text(userID)),
      ("idempotency_key", .text(idempotencyKey)), ("created_at", .number(createdAt)),
      ("expires_at", .number(expiresAt)), ("changed_at", .number(changedAt)),
      ("version", .number(version)), ("payment_ref", .text(paymentRef)),
      ("order_id", .text(orderID)),
    ]
  }
}

extension StockLevel {
  var fields: Output.Fields {
    [
      ("sku", .text(sku)), ("available", .number(figures.available)),
      ("held", .number(figures.held)), ("sold", .number(figures.sold)),
      ("supplied", .number(figures.supplied)), ("version", .number(figures.version)),
    ]
  }
}

/// A variable of the environment; nil when unset or empty.
func environment(_ name: String) -> String? {
  getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
}
