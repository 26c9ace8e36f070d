import Glibc

/// Ends what this process started when this process ends, however it ends.
///
/// How it works: a shell reads one end of a socket pair whose other end only this process holds.
/// Each process and folder is announced to it, and taken back once it is gone. When this process
/// dies, also by SIGKILL, the kernel closes that end, and the shell ends what is left.
/// (`PR_SET_PDEATHSIG` would not do: it fires when the *thread* that spawned dies.)
final class Watchdog: Sendable {
  static let shared: Result<Watchdog, any Error> = Result { try Watchdog() }

  private let shell: Int32

  private init() throws {
    var ends: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
      throw HarnessError("no descriptor left for the watchdog")
    }
    defer { close(ends[0]) }
    shell = ends[1]
    _ = try spawn(
      "/bin/bash", ["-c", Self.script], environment: ["PATH": "/usr/bin:/bin"], input: ends[0])
  }

  /// - Parameter signal: The kindest signal that ends the process quickly.
  func watch(process: pid_t, signal: Int32) { tell("process \(process) \(signal)") }
  func forget(process: pid_t) { tell("gone \(process)") }
  func watch(folder: String) { tell("folder \(folder)") }
  func forget(folder: String) { tell("removed \(folder)") }

  /// One call sends one line, so that lines of several threads never mix.
  private func tell(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    let written = send(shell, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    precondition(written == bytes.count, "the watchdog does not read")
  }

  private static let script = """
    trap '' INT TERM HUP
    declare -A signals folders
    runs() { local stat; { stat=$(< "/proc/$1/stat"); } && [[ $stat != *") Z "* ]]; }
    while read -r verb subject signal; do
      case $verb in
        process) signals[$subject]=$signal ;;
        gone) unset "signals[$subject]" ;;
        folder) folders[$subject]=1 ;;
        removed) unset "folders[$subject]" ;;
      esac
    done
    for pid in "${!signals[@]}"; do
      kill -s "${signals[$pid]}" "$pid"
      kill -s CONT "$pid"
    done
    for try in {1..100}; do
      alive=0
      for pid in "${!signals[@]}"; do runs "$pid" && alive=1; done
      ((alive)) || break
      sleep 0.05
    done
    for pid in "${!signals[@]}"; do kill -s KILL "$pid"; done
    for try in {1..20}; do
      rm -rf "${!folders[@]}" && break
      sleep 0.1
    done
    """
}
