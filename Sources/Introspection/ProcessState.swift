import Glibc
import Loop
public import Wire

extension ProcessState {
  /// This process.
  /// - Parameters:
  ///   - program: what it is called.
  ///   - startedAt: nanoseconds of CLOCK_MONOTONIC.
  public init(of program: String, since startedAt: UInt64) {
    self.init()
    self.program = program
    version = Release.version
    pid = UInt32(getpid())
    uptimeMs = (monotonicNow() - startedAt) / 1_000_000
    rssBytes = Self.residentBytes
  }

  /// The second number of `/proc/self/statm`, proc(5): pages; 0 when it cannot be read.
  private static var residentBytes: UInt64 {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    guard fgets(&line, Int32(line.count), file) != nil else { return 0 }
    let fields = String(decoding: line.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
      separator: " ")
    guard fields.count > 1, let pages = UInt64(fields[1]) else { return 0 }
    return pages * UInt64(sysconf(Int32(_SC_PAGESIZE)))
  }
}
