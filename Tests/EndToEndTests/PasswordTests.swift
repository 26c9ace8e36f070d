import Foundation
import Harness
import RPC
import Testing
import Wire

/// New passwords for both stores while the crowd buys, in the steps of `infra/PASSWORDS.md`.
@Suite("New passwords while it sells")
struct PasswordTests {
  private static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  @Test("of Redis and of PostgreSQL: no call is refused or unknown, and the old ones let nobody in")
  func rotation() async throws {
    let keys = try Keys()
    try keys.write()
    let redis = try RedisServer.start(
      extra: ["--aclfile", keys.users, "--repl-diskless-sync-delay", "0"], opened: false)
    let replica = try RedisServer.start(
      extra: [
        "--masteruser", "replica", "--masterauth", keys["replica"], "--replicaof", "127.0.0.1",
        "\(redis.port)",
      ])
    let postgres = try PostgresServer.start()
    let superuser = try books(in: postgres)
    try postgres.psql(superuser, "ALTER ROLE stock_worker_a PASSWORD 'first'")

    let shop = try await Shop.open(
      redis: redis, environment: ["REDIS_URL": keys.url("stockd", redis)])
    func startWorker(_ login: String) async throws -> Program {
      let worker = try Program.start(
        "stockworker", ["--name", "one", "--listen", "none"],
        environment: [
          "REDIS_URL": keys.url("stockworker", redis),
          "DATABASE_URL": superuser.replacing("postgres@", with: "\(login)@"),
        ])
      try await worker.waitForLog("ready")
      return worker
    }
    let before = try await startWorker("stock_worker_a:first")
    try await shop.ready()
    try await shop.supply(1_000_000)
    let crowd = Crowd(shop, buyers: 8)
    await crowd.start()
    func goesOn(_ step: String) async throws {
      let bought = await crowd.held.count
      try await eventually(timeout: .seconds(60), "the crowd buys: \(step)") {
        await crowd.held.count > bought + 100
      }
    }
    try await goesOn("before")

    try keys.renew()
    try keys.write()
    try keys.load(redis, password: keys.old["operator"]!)
    try await goesOn("both are good")
    try postgres.psql(superuser, "ALTER ROLE stock_worker_b PASSWORD 'second' LOGIN")
    #expect(try before.terminate() == 0)
    let worker = try await startWorker("stock_worker_b:second")
    let server = try Program.start(
      "stockd", ["--listen", "\(shop.address)"],
      environment: ["REDIS_URL": keys.url("stockd", redis)])
    try await server.waitForLog("listening on")
    #expect(try shop.server.terminate() == 0)
    try replica.cli("CONFIG", "SET", "masterauth", keys["replica"])
    try await goesOn("with the new ones")

    try keys.shutOut()
    try keys.write()
    try keys.load(redis, password: keys["operator"])
    try postgres.psql(superuser, "ALTER ROLE stock_worker_a PASSWORD NULL NOLOGIN")
    try await goesOn("the old ones are out")
    await crowd.stop()
    #expect(await crowd.refused == 0)
    #expect(await crowd.unknown == 0)
    let held = await crowd.held.count
    try await eventually(timeout: .seconds(60), "the books have every hold") {
      try postgres.psql(superuser, "SELECT count(*) FROM holds") == "\(held)"
    }
    try await eventually(timeout: .seconds(60), "the replica follows") {
      try redis.cli("INFO", "replication").contains("state=online")
    }
    for (user, password) in keys.old {
      let answer = try keys.ask(redis, as: user, password: password, "PING")
      #expect(answer.contains("WRONGPASS"), "\(user): \(answer)")
    }
    let locked = try Program.run(
      "psql",
      ["-Xc", "SELECT 1", superuser.replacing("postgres@", with: "stock_worker_a:first@")])
    #expect(locked.status != 0, "\(locked)")
    for log in [shop.server.log, server.log, before.log, worker.log] {
      #expect(!(keys.all + [":second@"]).contains { log.contains($0) }, "a password is logged")
    }
    worker.stop()
    server.stop()
    replica.stop()
    shop.close()
    postgres.stop()
  }

  /// Tables of their owner, two logins for the worker, and nobody but the superuser without a password.
  /// - Returns: The address of the superuser.
  private func books(in postgres: PostgresServer) throws -> String {
    let superuser = try postgres.createDatabase()
    for file in ["roles", "logins", "logins"] {
      try postgres.psqlFile(
        superuser, Self.root.appending(path: "infra/postgres/\(file).sql").path)
    }
    let migrated = try Program.run(
      "stockworker", ["--migrate-to", "latest"],
      environment: ["DATABASE_URL": superuser.replacing("postgres@", with: "stock_owner@")])
    #expect(migrated.status == 0, "\(migrated)")
    let rules = try postgres.psql(superuser, "SHOW hba_file")
    let lines = "('host all postgres samehost trust'), ('host all all samehost scram-sha-256')"
    try postgres.psql(superuser, "COPY (VALUES \(lines)) TO '\(rules)'")
    try postgres.psql(superuser, "SELECT pg_reload_conf()")
    return superuser
  }
}

/// The passwords of Redis's users, and the file that Redis takes them from.
private final class Keys {
  private let folder: URL
  /// What each user had before `renew`.
  private(set) var old: [String: String] = [:]
  private var current: [String: String] = [:]

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for user in ["stockd", "stockworker", "operator", "replica"] {
      current[user] = "first-\(user)"
      try put(current[user]!, user)
    }
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  /// Redis's file of users.
  var users: String { folder.appending(path: "users.acl").path }

  /// Every password there is or was.
  var all: [String] { Array(old.values) + current.values }

  subscript(user: String) -> String { current[user]! }

  func url(_ user: String, _ redis: RedisServer) -> String {
    "redis://\(user):\(current[user]!)@127.0.0.1:\(redis.port)"
  }

  private func put(_ password: String, _ name: String) throws {
    try "\(password)\n".write(
      to: folder.appending(path: name), atomically: true, encoding: .utf8)
  }

  /// A second password for each user.
  func renew() throws {
    old = current
    for user in current.keys {
      current[user] = "second-\(user)"
      try put(current[user]!, "\(user).new")
    }
  }

  /// Leaves the second one alone.
  func shutOut() throws {
    for user in current.keys {
      guard rename(path("\(user).new"), path(user)) == 0 else { throw HarnessError(user) }
    }
  }

  private func path(_ name: String) -> String { folder.appending(path: name).path }

  /// Writes the users; the harness, which comes as the default user, is let in.
  func write() throws {
    let script = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../../infra/redis/make-acl.sh")
    let made = try Program.run(script.standardized.path, [folder.path, users])
    guard made.status == 0 else { throw HarnessError(made.stderr) }
    let lines = try String(contentsOfFile: users, encoding: .utf8)
    try lines.replacing("user default reset off", with: "user default reset on nopass").write(
      toFile: users, atomically: true, encoding: .utf8)
  }

  func load(_ redis: RedisServer, password: String) throws {
    #expect(try ask(redis, as: "operator", password: password, "ACL", "LOAD") == "OK\n")
  }

  func ask(
    _ redis: RedisServer, as user: String, password: String, _ command: String...
  ) throws -> String {
    let outcome = try Program.run(
      "redis-cli", ["-p", "\(redis.port)", "--user", user] + command,
      environment: ["REDISCLI_AUTH": password])
    return outcome.stdout + outcome.stderr
  }
}
