import Foundation

/// One of this package's executables, built by the same build as the test that runs it.
///
/// Use `defer { program.stop() }`: without a later use Swift may end an object's life, and with it
/// the process, right after the last mention.
public final class Program: Sendable {
  /// How a short command ended.
  public struct Outcome: Sendable {
    /// The exit code, or 128 plus the signal that ended it.
    public let status: Int32
    /// Everything it wrote to standard output.
    public let stdout: String
    /// Everything it wrote to standard error.
    public let stderr: String
  }

  private let child: Child
  private let scratch: ScratchFolder

  private init(child: Child, scratch: ScratchFolder) {
    self.child = child
    self.scratch = scratch
  }

  deinit { stop() }

  /// Runs a command to its end; blocks the thread meanwhile.
  ///
  /// - Parameters:
  ///   - name: `stockctl`, or an absolute path, or a program on the PATH.
  ///   - arguments: Without the program's name.
  ///   - environment: Added to this process's own, which loses `STOCK_…`, `REDIS_URL` and
  ///     `DATABASE_URL`: a test must not sell on the developer's server.
  ///   - timeout: After this long the command is killed and the call throws.
  public static func run(
    _ name: String, _ arguments: [String] = [], environment: [String: String] = [:],
    timeout: Duration = .seconds(60)
  ) throws -> Outcome {
    let program = try start(name, arguments, environment: environment)
    defer { program.stop() }
    guard let status = program.child.wait(timeout: timeout) else {
      throw HarnessError(
        "\(name) \(arguments) still ran after \(timeout):\n\(program.output)\(program.log)")
    }
    return Outcome(status: status, stdout: program.output, stderr: program.log)
  }

  /// Starts a daemon and returns at once. The parameters are those of
  /// ``run(_:_:environment:timeout:)``.
  public static func start(
    _ name: String, _ arguments: [String] = [], environment: [String: String] = [:]
  ) throws -> Program {
    let scratch = try ScratchFolder()
    let child = try Child(
      executable(named: name), arguments, environment: inherited(adding: environment),
      output: scratch.file("stdout"), errors: scratch.file("stderr"))
    return Program(child: child, scratch: scratch)
  }

  /// The process's id.
  public var pid: Int32 { child.pid }

  /// Whether it has not ended yet; a paused process runs.
  public var isRunning: Bool { child.poll() == nil }

  /// What it has written to standard error so far.
  public var log: String { contents(of: scratch.file("stderr")) }

  /// What it has written to standard output so far.
  public var output: String { contents(of: scratch.file("stdout")) }

  /// Waits until standard error contains a text.
  ///
  /// - Throws: ``HarnessError`` with the log so far, when time is up or the program has ended.
  public func waitForLog(_ text: String, timeout: Duration = .seconds(10)) async throws {
    let clock = ContinuousClock()
    let deadline = clock.now + timeout
    while true {
      // Asked before the log is read: what a program wrote just before its end counts.
      let ended = !isRunning
      if log.contains(text) { return }
      if ended { throw HarnessError("the program ended without logging \"\(text)\":\n\(log)") }
      if clock.now >= deadline {
        throw HarnessError("within \(timeout) the program did not log \"\(text)\":\n\(log)")
      }
      try await clock.sleep(for: .milliseconds(10))
    }
  }

  /// Sends SIGTERM and waits for the end.
  ///
  /// - Returns: The exit code, or 128 plus the signal that ended it.
  /// - Throws: ``HarnessError`` if it did not go in time; it is killed then.
  @discardableResult
  public func terminate(timeout: Duration = .seconds(20)) throws -> Int32 {
    guard let code = child.end(SIGTERM, timeout: timeout) else {
      throw HarnessError("the program ignored SIGTERM for \(timeout):\n\(log)")
    }
    return code
  }

  /// Waits for the program to end by itself.
  ///
  /// - Returns: The exit code, or 128 plus the signal that ended it; nil when time is up.
  public func wait(timeout: Duration = .seconds(20)) -> Int32? {
    child.wait(timeout: timeout)
  }

  /// Sends SIGKILL and waits for the end.
  public func kill() {
    child.end(SIGKILL, timeout: .seconds(10))
  }

  /// Stops the process where it is (SIGSTOP); its sockets stay open.
  public func pause() { child.send(SIGSTOP) }

  /// Lets a paused process go on.
  public func resume() { child.send(SIGCONT) }

  /// Kills the process if it still runs, and removes what it wrote. Repeating it does nothing.
  public func stop() {
    kill()
    scratch.remove()
  }

  static func inherited(adding added: [String: String]) -> [String: String] {
    let own = ProcessInfo.processInfo.environment.filter { name, _ in
      !name.hasPrefix("STOCK_") && name != "REDIS_URL" && name != "DATABASE_URL"
    }
    // Many workers run at once: each listens where its test says, or nowhere.  Nor are the
    // developer's contexts the test's.
    let alone = ["STOCK_WORKER_LISTEN": "none", "XDG_CONFIG_HOME": "/nonexistent"]
    return own.merging(alone) { _, new in new }
      .merging(added) { _, new in new }
  }

  /// Where one of this package's programs is; another name is returned as it is.
  ///
  /// SwiftPM puts the test bundle, which on Linux is itself the running executable, beside the
  /// package's programs. Other names are looked up on the PATH.
  public static func executable(named name: String) throws -> String {
    guard !name.contains("/"), ["stockd", "stockworker", "stockctl"].contains(name) else {
      return name
    }
    let running = [
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "",
      CommandLine.arguments[0],
      Bundle.main.bundlePath,
    ]
    for path in running {
      var folder = URL(filePath: path)
      // The bundle may be a folder with the executable some levels down.
      for _ in 0..<4 {
        folder.deleteLastPathComponent()
        let candidate = folder.appending(path: name).path
        if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
      }
    }
    throw HarnessError("\(name) is not built: nothing of that name beside \(running[0])")
  }
}
