import Glibc

/// A volume in memory that is full soon (tmpfs).  Needs root, and the right to mount.
public final class SmallVolume: Sendable {
  /// Its root; owned by the user `postgres`.
  public let path: String

  private let scratch: ScratchFolder
  private var ballast: String { "\(path)/ballast" }

  /// Whether this machine lets us make one.
  public static let isPossible: Bool = {
    guard let volume = try? SmallVolume(bytes: 1 << 20) else { return false }
    volume.remove()
    return true
  }()

  /// Mounts a volume of so many bytes.
  public init(bytes: Int) throws {
    scratch = try ScratchFolder()
    path = scratch.file("volume")
    guard let user = getpwnam("postgres"), mkdir(path, 0o700) == 0, chmod(scratch.path, 0o755) == 0,
      mount("tmpfs", path, "tmpfs", 0, "size=\(bytes)") == 0
    else { throw HarnessError("cannot mount a tmpfs: \(String(cString: strerror(errno)))") }
    chown(path, user.pointee.pw_uid, user.pointee.pw_gid)
    chmod(path, 0o700)
  }

  /// Fills the volume up to its last so many bytes.
  public func fill(leaving bytes: Int) throws {
    var volume = statvfs()
    let file = open(ballast, O_WRONLY | O_CREAT, 0o600)
    defer { close(file) }
    guard file >= 0, statvfs(path, &volume) == 0 else { throw HarnessError("cannot fill \(path)") }
    let free = Int(volume.f_bfree) * Int(volume.f_frsize)
    guard free > bytes, posix_fallocate(file, 0, free - bytes) == 0 else {
      throw HarnessError("\(path) has only \(free) bytes left")
    }
  }

  /// Takes the ballast away.
  public func empty() { unlink(ballast) }

  /// Takes the volume away; whoever uses it must have ended.
  public func remove() {
    umount2(path, Int32(MNT_DETACH))
    scratch.remove()
  }

  deinit { remove() }
}
