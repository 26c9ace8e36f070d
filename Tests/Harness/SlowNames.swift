/// A name server that does not answer, for the processes that are started with this environment: every
/// lookup of a name takes half a minute and fails (`Tests/shim/slow_names.c`).
public final class SlowNames: Sendable {
  private let scratch: ScratchFolder
  private let loading: [String: String]

  /// Builds the library with the C compiler.
  public init() throws {
    scratch = try ScratchFolder()
    loading = try Shim.build("slow_names", in: scratch)
  }

  /// For the process.
  public var environment: [String: String] {
    loading.merging(["SLOW_NAMES_MS": "30000"]) { $1 }
  }
}
