import Glibc
import Synchronization

/// A process that this one started: its pid, its signals and its end.
final class Child: Sendable {
  let pid: pid_t

  /// The exit code, once the process has been reaped. Signals are sent under the same lock, so that
  /// none ever reaches a stranger who got the pid afterwards.
  private let exitCode = Mutex<Int32?>(nil)

  /// - Parameters:
  ///   - farewell: What the watchdog sends should this process die first.
  init(
    _ executable: String, _ arguments: [String], environment: [String: String],
    input: Int32? = nil, output: String, errors: String, farewell: Int32 = SIGKILL
  ) throws {
    pid = try spawn(
      executable, arguments, environment: environment, input: input, output: output,
      errors: errors)
    try Watchdog.shared.get().watch(process: pid, signal: farewell)
  }

  /// The exit code, or 128 plus the signal that ended it; nil while it runs.
  func poll() -> Int32? {
    exitCode.withLock { code in
      if code == nil {
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
        let signal = status & 0x7F
        code = signal == 0 ? (status >> 8) & 0xFF : 128 + signal
        try? Watchdog.shared.get().forget(process: pid)
      }
      return code
    }
  }

  func send(_ signal: Int32) {
    exitCode.withLock { code in
      if code == nil { _ = Glibc.kill(pid, signal) }
    }
  }

  /// The exit code; nil if it still runs when time is up.
  func wait(timeout: Duration) -> Int32? {
    var code: Int32?
    _ = blockUntil(timeout: timeout) {
      code = poll()
      return code != nil
    }
    return code
  }

  /// Sends the signal, wakes the process in case it is paused, and waits. A process that does not
  /// go within the time is killed.
  @discardableResult
  func end(_ signal: Int32, timeout: Duration) -> Int32? {
    send(signal)
    send(SIGCONT)
    if let code = wait(timeout: timeout) { return code }
    send(SIGKILL)
    _ = wait(timeout: .seconds(10))
    return nil
  }
}

/// Starts a program in a process group of its own, with default signals and no descriptor but the
/// three standard ones: `input` or /dev/null, and two files.
func spawn(
  _ executable: String, _ arguments: [String], environment: [String: String],
  input: Int32? = nil, output: String = "/dev/null", errors: String = "/dev/null"
) throws -> pid_t {
  var files = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&files)
  defer { posix_spawn_file_actions_destroy(&files) }
  if let input {
    posix_spawn_file_actions_adddup2(&files, input, 0)
  } else {
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)
  }
  let appending = O_WRONLY | O_CREAT | O_APPEND
  posix_spawn_file_actions_addopen(&files, 1, output, appending, 0o644)
  posix_spawn_file_actions_addopen(&files, 2, errors, appending, 0o644)
  // A connection of another test that stayed open in a child would never look closed to its peer.
  // (Glibc's module lacks addclosefrom_np; closing a descriptor that is not open is no fault.)
  for descriptor in Int32(3)..<1024 { posix_spawn_file_actions_addclose(&files, descriptor) }

  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
  posix_spawnattr_setflags(&attributes, Int16(flags))
  var none = sigset_t()
  sigemptyset(&none)
  posix_spawnattr_setsigmask(&attributes, &none)
  var all = sigset_t()
  sigfillset(&all)
  posix_spawnattr_setsigdefault(&attributes, &all)

  var argv = ([executable] + arguments).map { strdup($0) } + [nil]
  var envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
  defer { for string in argv + envp { free(string) } }
  var pid: pid_t = 0
  let failure = posix_spawnp(&pid, executable, &files, &attributes, &argv, &envp)
  guard failure == 0 else {
    throw HarnessError("cannot start \(executable): \(String(cString: strerror(failure)))")
  }
  return pid
}
