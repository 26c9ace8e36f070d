/// One setting of a daemon: `name` in the file, `--name` as a flag, `variable` in the environment.
public struct Setting<Value> {
  let name: String
  let variable: String
  let standard: String
  let rule: String
  let parse: (String) -> Value?
  let show: (Value) -> String
  let isSecret: (Value) -> Bool

  /// - Parameters:
  ///   - standard: the default, as a user would write it.
  ///   - rule: what the value must be, to follow "must be".
  ///   - parse: nil when the rule is broken.
  ///   - show: the value without its secrets.
  ///   - isSecret: whether the value holds a secret, which must not stand on a command line.
  public init(
    _ name: String, variable: String, standard: String, rule: String,
    parse: @escaping (String) -> Value?, show: @escaping (Value) -> String = { "\($0)" },
    isSecret: @escaping (Value) -> Bool = { _ in false }
  ) {
    self.name = name
    self.variable = variable
    self.standard = standard
    self.rule = rule
    self.parse = parse
    self.show = show
    self.isSecret = isSecret
  }
}

extension Setting where Value: FixedWidthInteger & Sendable {
  /// A whole number within limits, and its unit.
  public static func number(
    _ name: String, variable: String, standard: Value, in range: ClosedRange<Value>, unit: String
  ) -> Setting {
    Setting(
      name, variable: variable, standard: "\(standard)",
      rule: "\(range.lowerBound) to \(range.upperBound) \(unit)",
      parse: { text in Value(text).flatMap { range.contains($0) ? $0 : nil } })
  }
}

/// Where the value of a setting came from.
public enum Origin: Equatable, CustomStringConvertible {
  case standard
  case file(String, line: Int)
  case environment(String)
  case flag(String)

  /// For people: "file /etc/…/stockd.conf, line 3".
  public var description: String {
    switch self {
    case .standard: "default"
    case .file(let path, let line): "\(path):\(line)"
    case .environment(let name): "environment \(name)"
    case .flag(let name): "flag --\(name)"
    }
  }
}

/// A setting that cannot work, with the place where it stands.
public struct SettingError: Error, CustomStringConvertible, Equatable {
  /// One sentence.
  public let description: String

  /// An error with its sentence.
  public init(_ description: String) { self.description = description }
}
