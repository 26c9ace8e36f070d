import CPQ

/// Where a PostgreSQL database is, in either form that libpq reads:
/// `postgresql://user:password@host:port/database` or `host=… dbname=…`.
public struct DatabaseAddress: Sendable, CustomStringConvertible {
  /// May hold a password: for libpq only.
  let connectionString: String

  /// The address without its secrets.
  public let description: String

  /// Whether the address holds a password.
  public let hasPassword: Bool

  /// nil: empty, or in neither form.  (libpq's own text about it would repeat the password.)
  public init?(_ text: String) {
    guard !text.isEmpty, let options = PQconninfoParse(text, nil) else { return nil }
    defer { PQconninfoFree(options) }
    var values: [String: String] = [:]
    var option = options
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val {
        values[String(cString: keyword)] = String(cString: value)
      }
      option += 1
    }
    connectionString = text
    hasPassword = values["password"] != nil
    let user = values["user"].map { "\($0)@" } ?? ""
    let port = values["port"].map { ":\($0)" } ?? ""
    let host = values["host"] ?? values["hostaddr"] ?? ""
    description = "postgresql://\(user)\(host)\(port)/\(values["dbname"] ?? "")"
  }
}
