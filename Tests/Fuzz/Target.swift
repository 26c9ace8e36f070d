import Glibc

/// What can be fuzzed.  One program has them all, since building is most of a short run; the
/// environment's FUZZ_TARGET chooses.  infra/fuzz.sh builds and runs it.
enum Target: String, CaseIterable {
  /// Bytes of a socket, cut into frames.
  case frames
  /// Every message, envelope and event that a server, a client or the worker decodes.
  case messages
  /// The server's side of a connection.
  case server
  /// The client's side of a connection.
  case client

  func run(_ bytes: UnsafeRawBufferPointer) {
    switch self {
    case .frames: fuzzFrames(bytes)
    case .messages: fuzzMessages(bytes)
    case .server:
      var history = ServerHistory(bytes)
      history.run()
    case .client:
      var history = ClientHistory(bytes)
      history.run()
    }
  }
}

/// Written once, before the first input.
nonisolated(unsafe) private var target = Target.frames

/// libFuzzer calls it first (https://llvm.org/docs/LibFuzzer.html).  With FUZZ_SEEDS it writes the
/// corpus into that folder, and nothing is fuzzed.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutableRawPointer?, _ values: UnsafeMutableRawPointer?)
  -> CInt
{
  if let folder = getenv("FUZZ_SEEDS") {
    for target in Target.allCases { target.writeSeeds(below: String(cString: folder)) }
    exit(0)
  }
  guard let name = getenv("FUZZ_TARGET"), let found = Target(rawValue: String(cString: name)) else {
    fatalError("FUZZ_TARGET is one of \(Target.allCases.map(\.rawValue))")
  }
  target = found
  return 0
}

/// libFuzzer calls it with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  target.run(UnsafeRawBufferPointer(start: start, count: count))
  return 0
}

/// A promise that no input may break.
func promise(_ holds: Bool, _ what: @autoclosure () -> String) {
  if !holds { fatalError(what()) }
}
