import Foundation
import Glibc

/// What a power cut leaves of a server's files: no more of each than its last fdatasync had covered.
///
/// SIGKILL alone loses nothing, since the kernel still has what was written.  A small library in the
/// server (`Tests/shim/synced.c`) writes down the length of each file that was synced; after the kill,
/// `cut` takes away the rest.  Names of files count as durable: Redis syncs the folder of its own.
public final class SyncedFiles: Sendable {
  private let scratch: ScratchFolder
  private let loading: [String: String]
  private var log: String { scratch.file("synced.log") }

  /// Builds the library with the C compiler.
  public init() throws {
    scratch = try ScratchFolder()
    loading = try Shim.build("synced", in: scratch)
  }

  /// For the server whose files are watched.
  public var environment: [String: String] {
    loading.merging(["SYNCED_LOG": log]) { $1 }
  }

  /// Cuts every file in a folder at its last synced length.  The server must have ended.
  /// - Returns: What was cut off, by path, where it was anything.
  public func cut(_ folder: String) throws -> [String: [UInt8]] {
    var lengths: [UInt64: UInt64] = [:]
    for line in contents(of: log).split(separator: "\n") {
      let words = line.split(separator: " ").compactMap { UInt64($0) }
      guard words.count == 2 else { throw HarnessError("not a line of the log: \(line)") }
      lengths[words[0]] = words[1]
    }
    var cut: [String: [UInt8]] = [:]
    var kept = ""
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
      let path = "\(folder)/\(name)"
      var facts = stat()
      guard stat(path, &facts) == 0 else { continue }
      let length = min(lengths[UInt64(facts.st_ino)] ?? 0, UInt64(facts.st_size))
      kept += "\(facts.st_ino) \(length)\n"
      guard length < UInt64(facts.st_size) else { continue }
      let whole = FileManager.default.contents(atPath: path) ?? Data()
      cut[path] = Array(whole.dropFirst(Int(length)))
      guard truncate(path, off_t(length)) == 0 else { throw HarnessError("cannot cut \(path)") }
    }
    // An inode may come back with another file.
    try kept.write(toFile: log, atomically: true, encoding: .utf8)
    return cut
  }
}
