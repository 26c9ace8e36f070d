import Glibc
import Synchronization

/// A real redis-server with a folder, a loopback port and a unix socket of its own.
///
/// Use `defer { redis.stop() }`: without a later use Swift may end an object's life, and with it
/// the server, right after the last mention.
public final class RedisServer: Sendable {
  /// The TCP port on 127.0.0.1; the same after a restart.
  public let port: UInt16

  /// Whether it is set to sync every write: a server promises FSYNC on no other.
  public let syncsEveryWrite: Bool
  private let arguments: [String]
  private let environment: [String: String]
  let scratch: ScratchFolder
  private let child: Mutex<Child>
  private let isOpened: Bool

  /// The unix socket.
  public var socketPath: String { scratch.file("redis.sock") }

  /// Where its files are.
  public var folder: String { scratch.path }

  /// The process's id; another one after a restart.
  public var pid: Int32 { current.pid }

  /// Waits for the server to end by itself.
  /// - Returns: The exit code, or 128 plus the signal that ended it; nil when time is up.
  public func waitForEnd(timeout: Duration = .seconds(20)) -> Int32? {
    current.wait(timeout: timeout)
  }

  /// `redis://127.0.0.1:PORT`
  public var url: String { "redis://127.0.0.1:\(port)" }

  /// What the server has logged so far.
  public var log: String { contents(of: scratch.file("log")) }

  /// Starts a server and returns once it answers.
  ///
  /// - Parameters:
  ///   - appendOnly: Whether it keeps an append-only file.
  ///   - fsync: `always`, `everysec` or `no`.
  ///   - extra: More settings as on redis-server's command line: `["--maxmemory", "32mb"]`.
  ///   - environment: Of the process, such as a library to preload.
  ///   - opened: Whether it is opened to the sale after each start, as a worker would do it; for
  ///     tests without one.
  public static func start(
    appendOnly: Bool = true, fsync: String = "always", extra: [String] = [],
    environment: [String: String] = [:], opened: Bool = true
  ) throws -> RedisServer {
    let settings = ["--appendonly", appendOnly ? "yes" : "no", "--appendfsync", fsync] + extra
    var failure: any Error = HarnessError("redis-server was never started")
    // Another process may take the port between the choice and the bind.
    for _ in 0..<3 {
      do {
        return try RedisServer(
          port: freePort(), settings: settings, environment: environment,
          syncsEveryWrite: appendOnly && fsync == "always", opened: opened)
      } catch { failure = error }
    }
    throw failure
  }

  private init(
    port: UInt16, settings: [String], environment: [String: String], syncsEveryWrite: Bool,
    opened: Bool
  ) throws {
    self.port = port
    self.environment = environment
    self.syncsEveryWrite = syncsEveryWrite
    isOpened = opened
    scratch = try ScratchFolder()
    arguments =
      [
        "--port", "\(port)", "--bind", "127.0.0.1", "--unixsocket", scratch.file("redis.sock"),
        "--dir", scratch.path, "--save", "", "--maxmemory-policy", "noeviction",
      ] + settings
    child = Mutex(try Self.launch(arguments, environment, in: scratch))
    try waitUntilReady()
  }

  deinit { stop() }

  /// Ends the server as a crash does (SIGKILL); its files stay.
  public func kill() {
    current.end(SIGKILL, timeout: .seconds(10))
  }

  /// Stops the server where it is (SIGSTOP): connections stay open and nobody answers.
  public func pause() { current.send(SIGSTOP) }

  /// Lets a paused server go on.
  public func resume() { current.send(SIGCONT) }

  /// Starts the server again on the same files and port, ending it first (SIGTERM) if it runs, and
  /// returns once it answers.
  public func restart() throws {
    try child.withLock { child in
      child.end(SIGTERM, timeout: .seconds(10))
      child = try Self.launch(arguments, environment, in: scratch)
    }
    try waitUntilReady()
  }

  /// Ends the server and removes its files. Repeating it does nothing.
  public func stop() {
    kill()
    scratch.remove()
  }

  /// Runs redis-cli against this server: `try redis.cli("HGETALL", "sku:box")`.
  ///
  /// - Returns: What it printed, without the last line end. Lists print one element a line.
  /// - Throws: ``HarnessError`` with what it printed, when Redis answers with an error.
  @discardableResult
  public func cli(_ arguments: String...) throws -> String {
    try cli(arguments)
  }

  /// The same with the arguments in a list.
  @discardableResult
  public func cli(_ arguments: [String]) throws -> String {
    try command("redis-cli", ["-e", "-s", socketPath] + arguments)
  }

  private var current: Child { child.withLock { $0 } }

  private static func launch(
    _ arguments: [String], _ environment: [String: String], in scratch: ScratchFolder
  ) throws -> Child {
    try Child(
      "redis-server", arguments,
      environment: ["PATH": "/usr/bin:/bin:/usr/local/bin"].merging(environment) { $1 },
      output: scratch.file("log"), errors: scratch.file("log"))
  }

  private func waitUntilReady() throws {
    let ready = blockUntil(timeout: .seconds(30)) {
      (try? cli("PING")) == "PONG" || current.poll() != nil
    }
    guard ready, current.poll() == nil else {
      throw HarnessError("redis-server did not come up on port \(port):\n\(log)")
    }
    if isOpened, try cli("INFO", "replication").contains("role:master") { try open() }
  }

  /// Opens this process of Redis to the sale, as a worker does once it has been compared with the
  /// books.
  public func open() throws {
    let key = "run_id:"
    let line = try cli("INFO", "server").split(whereSeparator: \.isNewline).first {
      $0.hasPrefix(key)
    }
    guard let line else { throw HarnessError("redis-server does not say its run_id") }
    let epoch = "\(Self.deployment).1"
    // Without an end: no worker is there to renew it.
    try cli(
      "HSET", "fence", "epoch", epoch, "open", "\(epoch) \(line.dropFirst(key.count))", "from", "0",
      "until", "9007199254740991")
  }
}

// What a worker needs beside a Redis that is opened here, and not by it.
extension RedisServer {
  fileprivate static let deployment = "0123456789abcdef"

  /// Waits until the workers beside this Redis have said so often how far they are: once a second each.
  public func workersSpeak(_ times: Int) async throws {
    var (said, last) = (0, "")
    try await eventually(timeout: .seconds(30 + times), "the workers have spoken \(times) times") {
      let now = try cli("HGET", "inventory.worker", "at")
      if now != last { (said, last) = (said + 1, now) }
      return said > times
    }
  }

  /// Gives new books the name that ``open()`` gives a Redis, as if they had opened it; they would not take
  /// its events otherwise.  Does nothing while the database is away.
  public static func nameBooks(_ database: String) {
    let migrate = ["--database", database, "--migrate-to", "latest"]
    guard let made = try? Program.run("stockworker", migrate), made.status == 0 else { return }
    let row = "INSERT INTO fence (deployment, epoch) VALUES ('\(deployment)', 1)"
    _ = try? command("psql", ["-q", database, "-c", "\(row) ON CONFLICT DO NOTHING"])
  }
}

/// Runs a tool of a store to its end and returns what it printed without the last line end.
func command(_ name: String, _ arguments: [String]) throws -> String {
  let outcome = try Program.run(name, arguments)
  let output = outcome.stdout.last == "\n" ? String(outcome.stdout.dropLast()) : outcome.stdout
  guard outcome.status == 0 else {
    throw HarnessError("\(name) ended with \(outcome.status): \(output)\(outcome.stderr)")
  }
  return output
}
