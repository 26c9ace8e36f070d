import Glibc

/// An address that leads to one Redis now and to another after a failover, as a name or a virtual IP
/// does: a link in the file system to a server's unix socket.
public final class MovingAddress: Sendable {
  private let scratch: ScratchFolder
  private var link: String { scratch.file("redis.sock") }

  /// `unix:/path`
  public var url: String { "unix:\(link)" }

  /// An address that leads to a server.
  public init(to redis: RedisServer) throws {
    scratch = try ScratchFolder()
    try move(to: redis)
  }

  /// From now on it leads to this server.  Connections that are open stay where they are.
  public func move(to redis: RedisServer) throws {
    unlink(link)
    guard symlink(redis.socketPath, link) == 0 else {
      throw HarnessError("cannot make a link: \(String(cString: strerror(errno)))")
    }
  }

  /// From now on it leads nowhere.
  public func remove() throws {
    guard unlink(link) == 0 else {
      throw HarnessError("cannot remove a link: \(String(cString: strerror(errno)))")
    }
  }

  deinit { scratch.remove() }
}
