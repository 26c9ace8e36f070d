import Foundation

/// A library of `Tests/shim` that a program under test is started with.
enum Shim {
  /// Builds it with the C compiler.
  /// - Returns: the environment that loads it.
  static func build(_ name: String, in scratch: ScratchFolder) throws -> [String: String] {
    let source = URL(filePath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "shim/\(name).c").path
    let library = scratch.file("\(name).so")
    _ = try command(
      "gcc",
      [
        "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o", library, source,
        "-ldl",
      ])
    return ["LD_PRELOAD": library]
  }
}
