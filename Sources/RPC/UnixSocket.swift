import CEpoll
import Glibc
import Loop

/// Sockets in the file system.
public enum UnixSocket {
  /// Length of a path: `sun_path` with its closing NUL.
  public static let pathBytesMax = 107

  /// Listens.  A socket that a dead server left behind is replaced; one that is answered, and any
  /// other file, is not touched.
  static func listen(
    at path: String, access: SocketAccess, backlog: Int32
  ) throws(SystemError) -> Int32 {
    try clear(path)
    let fd = try make()
    do throws(SystemError) {
      // Mode and owner must be right before the first stranger could connect.
      let before = umask(0o777 & ~access.mode)
      let bound = withAddress(of: path) { bind(fd, $0, $1) }
      let code = errno
      umask(before)
      guard bound == 0 else { throw SystemError("bind \(path)", code) }
      do throws(SystemError) {
        try give(path, to: access.owner)
        guard Glibc.listen(fd, backlog) == 0 else { throw SystemError("listen", errno) }
      } catch {
        unlink(path)
        throw error
      }
      return fd
    } catch {
      close(fd)
      throw error
    }
  }

  private static func give(_ path: String, to owner: SocketOwner?) throws(SystemError) {
    guard let owner, lchown(path, owner.user, owner.group) != 0 else { return }
    throw SystemError("give \(path) to socket-owner \(owner)", errno)
  }

  static func connect(to path: String) throws(SystemError) -> Int32 {
    let fd = try make()
    guard withAddress(of: path, { Glibc.connect(fd, $0, $1) }) == 0 else {
      let code = errno
      close(fd)
      throw SystemError("connect \(path)", code)
    }
    return fd
  }

  /// Who connected; nil when that cannot be told.
  static func peer(of fd: Int32) -> Peer? {
    UInt32(exactly: stock_peer_user(fd)).map { .user($0) }
  }

  private static func clear(_ path: String) throws(SystemError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw SystemError("bind \(path): not a socket", EEXIST)
    }
    do {
      close(try connect(to: path))
    } catch {
      // Nobody answers.  A full queue (EAGAIN) is somebody.
      guard error.code == ECONNREFUSED else { throw SystemError("bind \(path)", EADDRINUSE) }
      unlink(path)
      return
    }
    throw SystemError("bind \(path)", EADDRINUSE)
  }

  private static func make() throws(SystemError) -> Int32 {
    let type = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
    let fd = socket(AF_UNIX, Int32(type), 0)
    guard fd >= 0 else { throw SystemError("socket", errno) }
    return fd
  }

  private static func withAddress(
    of path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    precondition(path.utf8.count <= pathBytesMax, "an Address has checked the length")
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}
