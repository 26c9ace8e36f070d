import Foundation

/// A clock of one process's own, set while it runs: Debian's `faketime`, loaded into that process.
///
/// CLOCK_MONOTONIC goes on as it is.  The C library stands behind it, before the memory allocator that
/// Redis is linked with: that one asks for the time before faketime is ready.
public final class FakeClock: Sendable {
  private static let library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
  private let scratch: ScratchFolder
  private var file: String { scratch.file("clock") }

  /// Whether this machine has the library.
  public static let isPossible = FileManager.default.fileExists(atPath: library)

  /// A clock that is right.
  public init() throws {
    scratch = try ScratchFolder()
    try set("+0")
  }

  /// For the process whose clock this is.
  public var environment: [String: String] {
    [
      "LD_PRELOAD": "\(Self.library):libc.so.6", "FAKETIME_TIMESTAMP_FILE": file,
      "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    ]
  }

  /// Sets it so many seconds off the machine's, such as "-3600" or "+86400".
  public func set(_ seconds: String) throws {
    try "\(seconds)s\n".write(toFile: file, atomically: true, encoding: .utf8)
  }
}
