import Foundation

/// A name server that does not answer, for the processes that are started with this environment: every
/// lookup of a name takes half a minute and fails (`Tests/shim/slow_names.c`).
public final class SlowNames: Sendable {
  private let scratch: ScratchFolder

  /// Builds the library with the C compiler.
  public init() throws {
    scratch = try ScratchFolder()
    let source = URL(filePath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "shim/slow_names.c").path
    _ = try command(
      "gcc",
      [
        "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o",
        scratch.file("slow_names.so"), source, "-ldl",
      ])
  }

  /// For the process.
  public var environment: [String: String] {
    ["LD_PRELOAD": scratch.file("slow_names.so"), "SLOW_NAMES_MS": "30000"]
  }
}
