import Foundation

// The files of a Redis, for tests in which it comes back with others.
extension RedisServer {
  private var fileFolder: URL { URL(filePath: scratch.file("appendonlydir")) }

  /// Copies what Redis has written so far: a backup, or what an older replica would have.
  ///
  /// - Returns: The copy; it lives as long as the object.
  public func copyOfFiles() throws -> RedisFiles { try RedisFiles(of: fileFolder) }

  /// Puts other files in the place of this server's own.  It must not run.
  ///
  /// - Parameter copy: nil: none at all.
  public func replaceFiles(with copy: RedisFiles?) throws {
    try FileManager.default.removeItem(at: fileFolder)
    if let copy { try FileManager.default.copyItem(at: copy.folder, to: fileFolder) }
  }
}

/// A copy of the files of a Redis.
public final class RedisFiles: Sendable {
  private let scratch: ScratchFolder
  let folder: URL

  init(of folder: URL) throws {
    scratch = try ScratchFolder()
    self.folder = URL(filePath: scratch.file("copy"))
    try FileManager.default.copyItem(at: folder, to: self.folder)
  }

  deinit { scratch.remove() }
}
