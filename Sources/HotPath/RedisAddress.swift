import FoundationEssentials
import Loop

/// Where a Redis is: `redis://[[user]:password@]host[:port][/database]`, or `unix:/path`.
public struct RedisAddress: Sendable, Hashable, CustomStringConvertible {
  /// How it is reached.
  public enum Endpoint: Sendable, Hashable {
    case tcp(host: String, port: UInt16)
    case unix(path: String)
  }

  /// How it is reached.
  public let endpoint: Endpoint
  /// For AUTH; nil: the default user.
  public let user: String?
  /// For AUTH; nil: none is needed.  Never printed.
  public let password: String?
  /// For SELECT.
  public let database: Int

  /// nil: neither form.
  public init?(_ url: String) {
    if url.hasPrefix("unix:") {
      let path = url.dropFirst("unix:".count)
      guard path.hasPrefix("/") else { return nil }
      endpoint = .unix(path: path.hasPrefix("//") ? String(path.dropFirst(2)) : String(path))
      (user, password, database) = (nil, nil, 0)
      return
    }
    guard let parts = URLComponents(string: url), parts.scheme == "redis",
      let host = parts.host, !host.isEmpty, let port = UInt16(exactly: parts.port ?? 6379)
    else { return nil }
    let number = parts.path.drop { $0 == "/" }
    guard let database = number.isEmpty ? 0 : Int(number), database >= 0 else { return nil }
    let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
    endpoint = .tcp(host: bare, port: port)
    user = parts.user.flatMap { $0.isEmpty ? nil : $0 }
    password = parts.password
    self.database = database
  }

  /// The address without its secrets.
  public var description: String {
    switch endpoint {
    case .tcp(let host, let port):
      "redis://\(host.contains(":") ? "[\(host)]" : host):\(port)/\(database)"
    case .unix(let path): "unix:\(path)"
    }
  }
}

extension [InternetAddress] {
  /// Those of IPv4 first, as hiredis tries them: Redis listens there, wherever `localhost` may lead.
  var fourFirst: [InternetAddress] { filter(\.isFour) + filter { !$0.isFour } }
}
