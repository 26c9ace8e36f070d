/// Where a server listens: `host:port`, or `unix:/path`.
public enum Address: Sendable, Hashable, CustomStringConvertible {
  /// A name or a numeric address.  Port 0: any free one, when listening.
  case tcp(host: String, port: UInt16)
  /// A Unix socket.  The path must fit `UnixSocket.pathBytesMax`.
  case unix(path: String)

  /// nil: not of the form `host:port`, `[v6]:port` or `unix:/path`.
  public init?(_ text: String) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst("unix:".count))
      guard path.hasPrefix("/"), path.utf8.count <= UnixSocket.pathBytesMax else { return nil }
      self = .unix(path: path)
      return
    }
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...])
    else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard !host.isEmpty else { return nil }
    self = .tcp(host: String(host), port: port)
  }

  /// A TCP address from its parts.
  public init(host: String, port: UInt16) { self = .tcp(host: host, port: port) }

  /// `host:port` or `unix:/path`
  public var description: String {
    switch self {
    case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }
}
