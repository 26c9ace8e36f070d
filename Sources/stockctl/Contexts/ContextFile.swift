import ArgumentParser
import FoundationEssentials
import Glibc

/// Where contexts are kept: `stockstream/contexts.json` in XDG_CONFIG_HOME, or in `~/.config`
/// (https://specifications.freedesktop.org/basedir-spec/latest/).
///
/// The file is its owner's alone, since what it names may come to include secrets.  It is replaced as
/// a whole, under a lock, so that a reader sees the old one or the new one and no change is lost.
enum ContextFile {
  private static let bytesMax = 1024 * 1024

  /// nil: there is neither XDG_CONFIG_HOME nor HOME.
  static var path: String? {
    // The specification has relative paths ignored.
    if let folder = environment("XDG_CONFIG_HOME"), folder.hasPrefix("/") {
      return "\(folder)/stockstream/contexts.json"
    }
    return environment("HOME").map { "\($0)/.config/stockstream/contexts.json" }
  }

  /// - Returns: none where there is no file.
  /// - Throws: `ValidationError` when the file is not its owner's alone, or not what was written.
  static func read() throws -> Contexts {
    guard let path else { return Contexts() }
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else {
      if errno == ENOENT || errno == ENOTDIR { return Contexts() }
      throw fault(path, "cannot be read: \(lastError)")
    }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw fault(path, "is not a file")
    }
    guard status.st_uid == geteuid() else { throw fault(path, "belongs to somebody else") }
    let mode = status.st_mode & 0o777
    guard mode & 0o077 == 0 else {
      throw fault(
        path, "is open to others (mode \(String(mode, radix: 8))): chmod 600 \(path)")
    }
    guard status.st_size <= bytesMax else { throw fault(path, "is longer than \(bytesMax) bytes") }
    return try decode(try bytes(of: file, path), path)
  }

  /// Changes the contexts.
  /// - Throws: whatever `change` throws; then nothing is changed.
  static func change(_ change: (inout Contexts) throws -> Void) throws {
    guard let path else { throw ValidationError("HOME is not set: there is no place for contexts") }
    try makeFolder(String(path[..<path.lastIndex(of: "/")!]))
    let lock = open("\(path).lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard lock >= 0, lockf(lock, F_LOCK, 0) == 0 else {
      throw fault("\(path).lock", "cannot be locked: \(lastError)")
    }
    defer { close(lock) }
    var contexts = try read()
    try change(&contexts)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    try replace(path, with: Array(try encoder.encode(contexts)) + [UInt8(ascii: "\n")])
  }

  private static func decode(_ bytes: Data, _ path: String) throws -> Contexts {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let contexts = try? decoder.decode(Contexts.self, from: bytes) else {
      throw fault(path, "is not what stockctl writes: put it right, or remove it")
    }
    for (name, context) in contexts.contexts {
      guard Context.isName(name) else { throw fault(path, "has a context with a bad name") }
      if let wrong = context.fault { throw fault(path, "context '\(name)': \(wrong)") }
    }
    return contexts
  }

  private static func bytes(of file: Int32, _ path: String) throws -> Data {
    var bytes = [UInt8](repeating: 0, count: bytesMax + 1)
    var count = 0
    while count < bytes.count {
      let got = bytes.withUnsafeMutableBytes {
        Glibc.read(file, $0.baseAddress! + count, $0.count - count)
      }
      guard got >= 0 else { throw fault(path, "cannot be read: \(lastError)") }
      if got == 0 { break }
      count += got
    }
    return Data(bytes[..<count])
  }

  private static func makeFolder(_ folder: String) throws {
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o700])
    } catch {
      throw fault(folder, "cannot be made")
    }
  }

  /// Where the path is a link, what it leads to is replaced.
  private static func replace(_ path: String, with bytes: [UInt8]) throws {
    let resolved = realpath(path, nil)
    defer { free(resolved) }
    let path = resolved.map { String(cString: $0) } ?? path
    let new = "\(path).\(getpid())"
    let file = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw fault(new, "cannot be written: \(lastError)") }
    let written = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
    let isWhole = written == bytes.count && fchmod(file, 0o600) == 0 && fsync(file) == 0
    close(file)
    guard isWhole, rename(new, path) == 0 else {
      let error = lastError
      unlink(new)
      throw fault(path, "cannot be written: \(error)")
    }
  }

  private static var lastError: String { String(cString: strerror(errno)) }

  private static func fault(_ path: String, _ sentence: String) -> ValidationError {
    ValidationError("\(path) \(sentence)")
  }
}
