import CPQ
import Glibc

/// Where a PostgreSQL database is, in either form that libpq reads:
/// `postgresql://user:password@host:port/database` or `host=… dbname=…`.
public struct DatabaseAddress: Sendable, CustomStringConvertible {
  /// May hold a password: for libpq only.
  let connectionString: String

  /// The address without its secrets.
  public let description: String

  /// The hosts that libpq would look up by their names, and wait for as long as it takes.
  let names: [String]

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
    let host = values["host"] ?? getenv("PGHOST").map { String(cString: $0) } ?? ""
    names =
      values["hostaddr"] != nil || getenv("PGHOSTADDR") != nil
      ? [] : host.split(separator: ",").map(String.init).filter { !"/@".contains($0.first!) }
    let user = values["user"].map { "\($0)@" } ?? ""
    let port = values["port"].map { ":\($0)" } ?? ""
    let shown = values["host"] ?? values["hostaddr"] ?? ""
    description = "postgresql://\(user)\(shown)\(port)/\(values["dbname"] ?? "")"
  }
}
