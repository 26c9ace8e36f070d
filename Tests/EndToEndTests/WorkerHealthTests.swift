import Foundation
import Glibc
import Harness
import RPC
import Testing

/// A worker's health is about the books: whether an event that is sold gets into them.
@Suite("The worker's health")
struct WorkerHealthTests {
  private func isDown(_ office: Office, _ reason: String) throws -> Bool {
    let said = try office.ctl("health")
    return said.status == 7 && said.stdout.contains("NOT_SERVING") && said.stdout.contains(reason)
  }

  private func isReady(_ office: Office) throws -> Bool { try office.ctl("health").status == 0 }

  @Test(
    "Redis answers and refuses every write: NOT_SERVING, with the reason, until it takes them again",
    arguments: [
      (
        begin: [["CONFIG", "SET", "min-replicas-to-write", "1"]],
        end: [["CONFIG", "SET", "min-replicas-to-write", "0"]],
        reason: "redis refuses to write: too few replicas"
      ),
      (
        begin: [["REPLICAOF", "127.0.0.1", "1"]], end: [["REPLICAOF", "NO", "ONE"]],
        reason: "this is a replica of 127.0.0.1:1"
      ),
      (
        begin: [
          ["CONFIG", "SET", "save", "3600 1000000"], ["CONFIG", "SET", "dbfilename", "blocked"],
          ["BGSAVE"],
        ],
        end: [["CONFIG", "SET", "dbfilename", "dump.rdb"], ["BGSAVE"]],
        reason: "redis refuses to write: it cannot save its data"
      ),
      (
        begin: [["HSET", "fence", "lost", "a test"]], end: [["HDEL", "fence", "lost"]],
        reason: "closed until it is rebuilt: a test"
      ),
    ] as [(begin: [[String]], end: [[String]], reason: String)])
  func refusing(begin: [[String]], end: [[String]], reason: String) async throws {
    let redis = try RedisServer.start(extra: ["--enable-protected-configs", "yes"])
    try FileManager.default.createDirectory(
      atPath: redis.folder + "/blocked", withIntermediateDirectories: true)
    let office = try await Office.open(redis: redis)
    defer { office.close() }
    try await eventually("it is ready") { try isReady(office) }
    for command in begin { try redis.cli(command) }
    try await eventually(timeout: .seconds(30), reason) { try isDown(office, reason) }
    for command in end { try redis.cli(command) }
    try await eventually(timeout: .seconds(60), "it is ready again") { try isReady(office) }
  }

  @Test("a database that was made read-only is named: health, log, dry run; it goes on by itself")
  func readOnly() async throws {
    let office = try await Office.open()
    defer { office.close() }
    try await eventually("it is ready") { try isReady(office) }
    let name = try #require(office.database.split(separator: "/").last)
    let root = office.database.replacing("/\(name)", with: "/postgres")
    try office.postgres.psql(
      root,
      """
      ALTER DATABASE \(name) SET default_transaction_read_only = on;
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)'
      """)
    try await eventually(timeout: .seconds(20), "it is named") {
      try isDown(office, "postgresql: it is read-only (default_transaction_read_only")
    }
    try await office.worker.waitForLog("reason=it is read-only (default_transaction_read_only")
    for work in [["--rebuild"], ["--migrate-to", "latest"]] {
      let said = try Program.run(
        "stockworker", ["--redis", office.redis.url, "--database", office.database] + work)
      #expect(said.status == 1, "\(said)")
      #expect((said.stdout + said.stderr).contains("it is read-only"), "\(said)")
    }
    try office.postgres.psql(root, "ALTER DATABASE \(name) RESET default_transaction_read_only")
    try await eventually(timeout: .seconds(30), "it is ready again") { try isReady(office) }
  }

  @Test("a hot standby is named; the same server as a primary again is not")
  func standby() async throws {
    let office = try await Office.open(ownPostgres: true)
    defer { office.close(ownPostgres: true) }
    try await eventually("it is ready") { try isReady(office) }
    let mark = try office.sql("SHOW data_directory") + "/standby.signal"
    try Data().write(to: URL(filePath: mark))
    try office.postgres.restart()
    try await eventually(timeout: .seconds(20), "it is named") {
      try isDown(office, "postgresql: it is a standby, which is read-only")
    }
    try FileManager.default.removeItem(atPath: mark)
    try office.postgres.restart()
    try await eventually(timeout: .seconds(30), "it is ready again") { try isReady(office) }
  }

  @Test("no schema for the tables is named, not said to be a table that is not there")
  func nowhere() async throws {
    let office = try await Office.open()
    defer { office.close() }
    let name = try #require(office.database.split(separator: "/").last)
    _ = try office.sql(
      """
      ALTER DATABASE \(name) SET search_path = '';
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = '\(name)' AND pid <> pg_backend_pid()
      """)
    try await eventually(timeout: .seconds(20), "it is named") {
      try isDown(office, "postgresql: search_path names no schema")
    }
    _ = try office.sql("ALTER DATABASE \(name) RESET search_path")
    try await eventually(timeout: .seconds(30), "it is ready again") { try isReady(office) }
  }

  private static let pgbouncer = "/usr/sbin/pgbouncer"

  @Test(
    "behind pgbouncer in transaction mode it is named for what it is; in session mode it works",
    .enabled(if: FileManager.default.isExecutableFile(atPath: pgbouncer), "it is not installed"),
    arguments: ["transaction", "session"])
  func pooler(mode: String) async throws {
    let redis = try RedisServer.start(opened: false)
    let postgres = try PostgresServer.shared()
    let database = try postgres.createDatabase()
    let name = try #require(database.split(separator: "/").last)
    let (port, folder) = (freePort(), "/tmp/pgbouncer-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    let settings = """
      [databases]
      \(name) = host=127.0.0.1 port=\(postgres.port) user=postgres
      [pgbouncer]
      listen_addr = 127.0.0.1
      listen_port = \(port)
      unix_socket_dir =
      auth_type = any
      pool_mode = \(mode)
      """
    try settings.write(toFile: folder + "/pgbouncer.ini", atomically: true, encoding: .utf8)
    let user = getuid() == 0 ? ["-u", "postgres"] : []
    let pooler = try Program.start(Self.pgbouncer, user + [folder + "/pgbouncer.ini"])
    let address = Address(host: "127.0.0.1", port: freePort())
    let worker = try Office.startWorker(
      redis, "postgresql://postgres@127.0.0.1:\(port)/\(name)", address, name: "one")
    defer {
      worker.stop()
      pooler.stop()
      redis.stop()
      try? FileManager.default.removeItem(atPath: folder)
    }
    func health() throws -> Program.Outcome {
      try Program.run("stockctl", ["health", "--address", "\(address)"])
    }
    if mode == "session" {
      return try await eventually(timeout: .seconds(30), "it works") { try health().status == 0 }
    }
    try await eventually(timeout: .seconds(30), "it is named") {
      let said = try health()
      return said.status == 7
        && said.stdout.contains("postgresql: a pooler gives every transaction another session")
    }
    #expect(!worker.log.contains("prepared statement") && !worker.log.contains("ready"))
  }

  @Test(
    "a database in another encoding than UTF8 is refused at the start, by name",
    arguments: ["LATIN1", "SQL_ASCII"])
  func encoding(name: String) throws {
    let (redis, postgres) = (try RedisServer.start(), try PostgresServer.shared())
    defer { redis.stop() }
    let other = try postgres.createDatabase()
    let database = "other_\(name.lowercased())_\(UUID().uuidString.prefix(8).lowercased())"
    try postgres.psql(other, "CREATE DATABASE \(database) ENCODING '\(name)' TEMPLATE template0")
    let old = try #require(other.split(separator: "/").last)
    let url = other.replacing("/\(old)", with: "/\(database)")
    for work in [[], ["--migrate-to", "latest"], ["--rebuild"]] {
      let said = try Program.run("stockworker", ["--redis", redis.url, "--database", url] + work)
      let words = said.stdout + said.stderr
      #expect(said.status == 1, "\(words)")
      #expect(words.contains("the database has the encoding \(name)"), "\(words)")
      #expect(!words.contains("0xe2"))
    }
  }
}
