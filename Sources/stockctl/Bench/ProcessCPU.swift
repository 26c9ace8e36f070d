import FoundationEssentials
import Glibc

/// The CPU time of a running process, from `/proc/PID/stat` (proc(5): fields 14 and 15).
struct ProcessCPU {
  let name: String
  private let path: String

  /// - Parameter argument: NAME=PID; nil: it is not, or there is no such process.
  init?(_ argument: String) {
    let parts = argument.split(separator: "=")
    guard parts.count == 2, let pid = Int32(parts[1]) else { return nil }
    (name, path) = (String(parts[0]), "/proc/\(pid)/stat")
    guard microseconds > 0 || access(path, R_OK) == 0 else { return nil }
  }

  var microseconds: UInt64 {
    guard let stat = try? String(contentsOfFile: path, encoding: .utf8),
      let end = stat.lastIndex(of: ")")
    else { return 0 }
    let fields = stat[end...].split(separator: " ")
    guard fields.count > 13, let user = UInt64(fields[12]), let system = UInt64(fields[13])
    else { return 0 }
    return (user + system) * 1_000_000 / UInt64(sysconf(Int32(_SC_CLK_TCK)))
  }
}
