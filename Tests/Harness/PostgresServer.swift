import Foundation
import Glibc
import Synchronization

/// A real PostgreSQL cluster with a folder, a loopback port and a unix socket of its own.
///
/// Its superuser is `postgres`, and it trusts everyone on this machine. Use
/// `defer { postgres.stop() }` for a private one; never stop the shared one.
public final class PostgresServer: Sendable {
  /// The TCP port on 127.0.0.1; the same after a restart.
  public let port: UInt16

  private let arguments: [String]
  private let scratch: ScratchFolder
  private let child: Mutex<Child>

  private static let sharedServer: Result<PostgresServer, any Error> = Result { try start() }

  /// The cluster that all tests of this process share; started by the first call. Each test makes
  /// a database in it. It ends with the process.
  public static func shared() throws -> PostgresServer {
    try sharedServer.get()
  }

  /// Makes a private cluster, for a test that stops or kills it, and returns once it answers.
  ///
  /// - Parameter fsync: Whether it waits for the disk. Without, it survives a killed process but
  ///   not a power cut.
  public static func start(fsync: Bool = false) throws -> PostgresServer {
    let scratch = try ScratchFolder()
    var failure: any Error = HarnessError("postgres was never started")
    try initialise(scratch)
    // Another process may take the port between the choice and the bind.
    for _ in 0..<3 {
      do {
        return try PostgresServer(port: freePort(), fsync: fsync, scratch: scratch)
      } catch { failure = error }
    }
    throw failure
  }

  private init(port: UInt16, fsync: Bool, scratch: ScratchFolder) throws {
    self.port = port
    self.scratch = scratch
    arguments = Self.asPostgres(
      "postgres",
      [
        "-D", scratch.file("data"), "-p", "\(port)", "-k", scratch.path, "-h", "127.0.0.1",
        "-c", "fsync=\(fsync ? "on" : "off")", "-c", "max_connections=200",
        "-c", "shared_buffers=32MB", "-c", "dynamic_shared_memory_type=mmap",
      ])
    child = Mutex(try Self.launch(arguments, in: scratch))
    try waitUntilReady()
  }

  deinit { stop() }

  /// Makes an empty database.
  ///
  /// - Parameter folder: Where its files lie, such as the root of a small volume; nil: with the
  ///   others.
  /// - Returns: Its `postgresql://` URL, over TCP.
  public func createDatabase(in folder: String? = nil) throws -> String {
    let name = "test_" + String(UInt64.random(in: 0...UInt64.max), radix: 36)
    let root = url(database: "postgres")
    if let folder { try psql(root, "CREATE TABLESPACE \(name) LOCATION '\(folder)'") }
    try psql(
      root,
      "CREATE DATABASE \(name) TEMPLATE template0 TABLESPACE \(folder == nil ? "pg_default" : name)"
    )
    return url(database: name)
  }

  /// Removes a database that has a folder of its own, so that its volume can go.
  public func dropDatabase(_ url: String) throws {
    guard let name = url.split(separator: "/").last else { return }
    try psql(self.url(database: "postgres"), "DROP DATABASE \(name) WITH (FORCE)")
    try psql(self.url(database: "postgres"), "DROP TABLESPACE \(name)")
  }

  /// Runs SQL with `psql -At` and stops at the first error.
  ///
  /// - Parameters:
  ///   - url: From ``createDatabase()``.
  ///   - sql: One statement or several.
  /// - Returns: One line per row, `|` between columns, no last line end.
  /// - Throws: ``HarnessError`` with PostgreSQL's message.
  @discardableResult
  public func psql(_ url: String, _ sql: String) throws -> String {
    try command("psql", ["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql])
  }

  /// Runs a file with `psql`, and stops at the first error.
  public func psqlFile(_ url: String, _ path: String) throws {
    _ = try command("psql", ["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", path])
  }

  /// What the server has logged so far.
  public var log: String { contents(of: scratch.file("log")) }

  /// Ends the server as a crash does (SIGKILL), with all its processes: a backend that outlived it for a
  /// moment could still commit.  Its files stay.
  public func kill() {
    // One that is stopped makes no more children.
    current.send(SIGSTOP)
    let children = children
    for pid in children { Glibc.kill(pid, SIGKILL) }
    current.end(SIGKILL, timeout: .seconds(10))
    _ = blockUntil(timeout: .seconds(10)) { !children.contains { runs($0) } }
  }

  /// Stops the server with all its processes where they are (SIGSTOP): connections stay open and
  /// nobody answers.
  public func pause() { signalAll(SIGSTOP) }

  /// Lets a paused server go on.
  public func resume() { signalAll(SIGCONT) }

  private func signalAll(_ signal: Int32) {
    for pid in children { Glibc.kill(pid, signal) }
    current.send(signal)
  }

  /// As pgrep would say, which a bare machine does not have.
  private var children: [pid_t] {
    contents(of: "/proc/\(current.pid)/task/\(current.pid)/children").split(separator: " ")
      .compactMap { pid_t($0) }
  }

  /// Whether a process has not ended; its new parent may not have asked for its end yet.
  private func runs(_ pid: pid_t) -> Bool {
    let state = contents(of: "/proc/\(pid)/stat").split(separator: ")").last
    return state.map { !$0.hasPrefix(" Z") && !$0.hasPrefix(" X") } ?? false
  }

  /// Starts the server again on the same files and port, ending it first if it runs (SIGINT:
  /// connections are cut, nothing is lost), and returns once it answers.
  public func restart() throws {
    current.end(SIGINT, timeout: .seconds(20))
    try child.withLock { $0 = try Self.launch(arguments, in: scratch) }
    try waitUntilReady()
  }

  /// Ends the server and removes its files. Repeating it does nothing.
  public func stop() {
    current.end(SIGQUIT, timeout: .seconds(10))
    removeSharedMemory()
    scratch.remove()
  }

  private var current: Child { child.withLock { $0 } }

  private func url(database: String) -> String {
    "postgresql://postgres@127.0.0.1:\(port)/\(database)"
  }

  private static func launch(_ arguments: [String], in scratch: ScratchFolder) throws -> Child {
    try Child(
      arguments[0], Array(arguments.dropFirst()), environment: ["PATH": "/usr/bin:/bin"],
      output: scratch.file("log"), errors: scratch.file("log"), farewell: SIGQUIT)
  }

  private func waitUntilReady() throws {
    let probe = ["-q", "-h", "127.0.0.1", "-p", "\(port)", "-d", "postgres"]
    let ready = try blockUntil(timeout: .seconds(30)) {
      try current.poll() != nil || Program.run(Self.binary("pg_isready"), probe).status == 0
    }
    guard ready, current.poll() == nil else {
      throw HarnessError("postgres did not come up on port \(port):\n\(log)")
    }
  }

  /// A killed server leaves its System V segment behind, and a machine has only so many of them.
  private func removeSharedMemory() {
    let lines = contents(of: scratch.file("data/postmaster.pid")).split(
      separator: "\n", omittingEmptySubsequences: false)
    guard lines.count > 6, let id = lines[6].split(separator: " ").last.flatMap({ Int32($0) })
    else { return }
    shmctl(id, IPC_RMID, nil)
  }

  private static func initialise(_ scratch: ScratchFolder) throws {
    if getuid() == 0 {
      guard let user = getpwnam("postgres") else {
        throw HarnessError("root may not run PostgreSQL, and there is no user postgres")
      }
      chown(scratch.path, user.pointee.pw_uid, user.pointee.pw_gid)
    }
    let initdb = asPostgres(
      "initdb",
      [
        "-D", scratch.file("data"), "-U", "postgres", "--auth", "trust", "--encoding", "UTF8",
        "--locale", "C", "--no-sync", "--no-instructions",
      ])
    _ = try command(initdb[0], Array(initdb.dropFirst()))
  }

  /// PostgreSQL refuses to run as root; `setpriv` becomes the program, so the pid is the server's.
  private static func asPostgres(_ name: String, _ arguments: [String]) -> [String] {
    let command = [binary(name)] + arguments
    guard getuid() == 0 else { return command }
    return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"] + command
  }

  /// Debian keeps the server's programs off the PATH, in a folder per version; `POSTGRES_BIN` names the
  /// folder of another one.
  private static func binary(_ name: String) -> String {
    let chosen = ProcessInfo.processInfo.environment["POSTGRES_BIN"]
    if let chosen { return "\(chosen)/\(name)" }
    let root = "/usr/lib/postgresql"
    let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    let newest = versions.compactMap { Int($0) }.max()
    return newest.map { "\(root)/\($0)/bin/\(name)" } ?? name
  }
}
