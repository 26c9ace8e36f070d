import Glibc

/// Who may connect to a Unix socket.
public struct SocketAccess: Sendable, Equatable {
  /// The mode of its file.
  public var mode: UInt32
  /// The owner of its file; nil: as whoever runs the server.
  public var owner: SocketOwner?

  /// By default the server's own user and group.
  public init(mode: UInt32 = 0o660, owner: SocketOwner? = nil) {
    self.mode = mode
    self.owner = owner
  }
}

/// `user`, `user:group` or `:group`, each a name that this machine knows, or a number.
///
/// Without root a server can give its socket to groups alone that it is a member of.
public struct SocketOwner: Sendable, Equatable, CustomStringConvertible {
  /// As it was written.
  public let description: String
  let user: uid_t
  let group: gid_t

  /// What chown(2) leaves as it is.
  private static let unchanged = uid_t.max

  /// nil: not of that form, or a name that nobody has.  Asks the machine's databases of users, and
  /// may be called by one thread at a time.
  public init?(_ text: String) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let userName = String(parts[0])
    let groupName = parts.count > 1 ? String(parts[1]) : nil
    guard !userName.isEmpty || groupName != nil, groupName?.isEmpty != true else { return nil }
    let user = userName.isEmpty ? Self.unchanged : Self.number(userName, of: Self.user)
    let group = groupName.map { Self.number($0, of: Self.group) } ?? Self.unchanged
    guard let user, let group else { return nil }
    (self.user, self.group, description) = (user, group, text)
  }

  private static func number(_ text: String, of named: (String) -> UInt32?) -> UInt32? {
    if let known = named(text) { return known }
    return UInt32(text).flatMap { $0 == unchanged ? nil : $0 }
  }

  private static func user(_ name: String) -> uid_t? { getpwnam(name)?.pointee.pw_uid }
  private static func group(_ name: String) -> gid_t? { getgrnam(name)?.pointee.gr_gid }
}
