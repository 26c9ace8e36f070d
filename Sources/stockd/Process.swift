import Dispatch
import Glibc

/// Takes all the descriptors that the system allows.
/// - Returns: how many.
func raiseDescriptorLimit() -> Int {
  var limit = rlimit()
  let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  guard getrlimit(files, &limit) == 0 else { return 1_024 }
  limit.rlim_cur = limit.rlim_max
  setrlimit(files, &limit)
  getrlimit(files, &limit)
  return Int(clamping: limit.rlim_cur)
}

/// Waits for SIGTERM or SIGINT.
struct StopSignal {
  private let sources: [any DispatchSourceSignal]
  private let arrived: AsyncStream<Void>

  init() {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
    arrived = stream
    sources = [SIGTERM, SIGINT].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { continuation.yield() }
      source.activate()
      return source
    }
    signal(SIGPIPE, SIG_IGN)
  }

  func wait() async {
    for await _ in arrived { return }
  }
}
