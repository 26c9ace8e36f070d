import Foundation

/// A temporary folder that vanishes with its owner, or with the test process.
///
/// Always directly under /tmp: a unix socket's path may have 107 bytes, and the user `postgres`
/// must be able to reach it.
final class ScratchFolder: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/stockstream-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw HarnessError("cannot make a folder in /tmp: \(String(cString: strerror(errno)))")
    }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    try Watchdog.shared.get().watch(folder: path)
  }

  func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Removes the folder; repeating it does nothing.
  func remove() {
    // A server that is being killed may still write into it once.
    _ = blockUntil(timeout: .seconds(2)) {
      try? FileManager.default.removeItem(atPath: path)
      return !FileManager.default.fileExists(atPath: path)
    }
    try? Watchdog.shared.get().forget(folder: path)
  }

  deinit { remove() }
}

/// What a process has written so far; empty while there is no such file.
func contents(of path: String) -> String {
  String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
}
