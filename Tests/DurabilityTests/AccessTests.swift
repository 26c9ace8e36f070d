import Foundation
import Harness
import Inventory
import RPC
import Testing
import Wire

/// The users of `infra/redis/users.conf`: each can do its work, and nothing else.
@Suite("Who may do what in Redis")
struct AccessTests {
  private static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// The lines of the ACL file, as `make-acl.sh` writes it.
  private func users() throws -> [String] {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for user in ["stockd", "stockworker", "operator", "replica"] {
      try "secret-\(user)\n".write(
        to: folder.appending(path: user), atomically: true, encoding: .utf8)
    }
    let made = try Program.run(
      Self.root.appending(path: "infra/redis/make-acl.sh").path, [folder.path])
    guard made.status == 0 else { throw HarnessError(made.stderr) }
    #expect(!made.stdout.contains("secret-"), "no password stands in the file")
    return made.stdout.split(separator: "\n").map(String.init)
  }

  /// Lets the users in.
  private func admit(_ redis: RedisServer) throws -> [String] {
    let lines = try users()
    // The harness itself is the default user, which is switched off in the file.
    for line in lines where !line.hasPrefix("user default") { try set(line, redis) }
    return lines
  }

  private func set(_ line: String, _ redis: RedisServer) throws {
    let words = line.split(separator: " ").dropFirst().map(String.init)
    #expect(try redis.cli(["ACL", "SETUSER"] + words) == "OK")
  }

  private func url(_ user: String, _ redis: RedisServer) -> String {
    "redis://\(user):secret-\(user)@127.0.0.1:\(redis.port)"
  }

  /// What Redis would say to a command of a user.
  private func verdict(_ user: String, _ command: String, _ redis: RedisServer) throws -> String {
    try redis.cli(["ACL", "DRYRUN", user] + command.split(separator: " ").map(String.init))
  }

  @Test(
    "a whole sale with everything that there is: Redis refuses nothing, and nothing is superfluous")
  func sale() async throws {
    let redis = try RedisServer.start(
      extra: ["--repl-diskless-sync-delay", "0"], opened: false)
    let lines = try admit(redis)
    let replica = try RedisServer.start(
      extra: [
        "--masteruser", "replica", "--masterauth", "secret-replica", "--replicaof", "127.0.0.1",
        "\(redis.port)",
      ])
    let postgres = try PostgresServer.shared()
    let database = try postgres.createDatabase()
    let market = try await Market.open(redis, environment: ["REDIS_URL": url("stockd", redis)])
    func startWorker() async throws -> Program {
      let worker = try Program.start(
        "stockworker",
        [
          "--database", database, "--name", "one", "--trim-window", "0", "--reclaim-after", "1000",
          "--audit-every", "500",
        ], environment: ["REDIS_URL": url("stockworker", redis)])
      try await worker.waitForLog("ready")
      return worker
    }
    let worker = try await startWorker()
    defer {
      worker.stop()
      replica.stop()
      market.close()
    }
    try await market.ready()
    try await eventually("the replica follows") {
      try redis.cli("INFO", "replication").contains("state=online")
    }
    try await sell(market)

    // An event that the books refuse, which becomes a dead letter and is replayed.
    _ = try postgres.psql(
      database, "ALTER TABLE holds ADD CONSTRAINT no_poison CHECK (user_id <> 'poison')")
    let poison = try await market.reserve("k", user: "poison", at: .ledger, timeoutMs: 30_000)
    #expect(poison.acknowledged == .fsync)
    try redis.cli("XGROUP", "SETID", "inventory.events", "inventory.cg", "$", "ENTRIESREAD", "1")
    try await worker.waitForLog("redis counted wrongly what waits for the books")
    try await eventually("what is applied has been trimmed, and the audit has looked") {
      let done = try redis.cli("INFO", "commandstats")
      return done.contains("cmdstat_xtrim") && done.contains("cmdstat_eval_ro")
    }
    #expect(try worker.terminate() == 0, "it leaves its group")
    _ = try await startWorker().terminate()
    #expect(try market.server.terminate() == 0, "it takes its writer off the fence")

    let refused = try redis.cli("ACL", "LOG")
    #expect(refused.isEmpty, "\(refused)")
    #expect(!market.server.log.contains("NOPERM") && !worker.log.contains("NOPERM"))
    for secret in ["secret-stockd", "secret-stockworker"] {
      #expect(!market.server.log.contains(secret) && !worker.log.contains(secret))
    }
    try expectNoneSuperfluous(lines, redis)
  }

  /// Every kind of call, at every level, and what happens by itself.
  private func sell(_ market: Market) async throws {
    try await market.supply(1_000_000)
    try market.redis.cli("SET", "stock:adopted", "5")
    try market.redis.cli("SET", "stock:x", "900000")
    let client = StockClient(to: market.address)
    #expect(try await client.call(AdoptStockRequest(sku: "x")).outcome == .stockAdopted)
    let first = try await client.call(
      ReserveRequest(sku: "adopted", qty: 1, userID: "u", idempotencyKey: "a", ttlMs: 1_000))
    #expect(first.outcome == .held)
    for level in Acknowledgement.allCases {
      try await eventually("\(level.name) is kept") {
        let held = try await client.call(ReserveRequest.of("level-\(level.name)", at: level))
        return held.acknowledged == max(level, .fsync)
      }
    }
    let batch = try await client.call(
      BatchReserveRequest(items: (0..<300).map { ReserveRequest.of("b\($0)") }))
    let ids = try batch.results.map { try $0.get() }.filter { $0.outcome == .held }.map(\.holdID)
    #expect(ids.count > 50)
    let confirm = ConfirmRequest(holdID: ids[0], paymentRef: "p")
    #expect(try await client.call(confirm).outcome == .confirmed)
    #expect(try await client.call(CancelRequest(holdID: ids[1])).outcome == .cancelled)
    let found = try #require(try await client.call(GetHoldRequest(holdID: ids[2])).hold)
    let later = ExtendRequest(holdID: ids[2], expiresAt: found.expiresAt + 1)
    #expect(try await client.call(later).outcome == .extended)
    func set(_ request: String) -> SetStockRequest {
      SetStockRequest(sku: "ordered", available: 5, requestID: request)
    }
    #expect(try await client.call(set("first")).outcome == .stockSet)
    let adjust = AdjustStockRequest(sku: "ordered", delta: 1, requestID: "adjust")
    #expect(try await client.call(adjust).outcome == .stockAdjusted)
    let retire = RetireStockRequest(sku: "ordered", requestID: "retire")
    #expect(try await client.call(retire).outcome == .stockRetired)
    #expect(try await client.call(set("again")).outcome == .stockSet)
    let listed = try await client.call(ListStockRequest()).stock
    #expect(listed.map(\.stock.sku) == ["adopted", "ordered", "x"])
    // The worker trims what it has applied, so something must go on happening.
    let seller = Task {
      var round = 0
      while !Task.isCancelled {
        round += 1
        _ = try await client.call(ReserveRequest.of("followed-\(round)"))
      }
    }
    try await eventually("an event is followed") {
      do {
        for try await item in client.follow(FollowRequest(fromEarliest: true))
        where item.event != nil { return true }
      } catch let status as Status where status.reason == "TOKEN_TOO_OLD" {
        // With no window at all, the trimming may overtake whoever follows from the start.
      }
      return false
    }
    seller.cancel()
    for try await _ in client.watch(skus: ["x"]) { break }
    try await eventually("the short hold has expired") {
      try await client.call(GetStockRequest(sku: "adopted")).stock?.figures.available == 5
    }
    await client.close()
  }

  /// Whatever a user may do has been done, by it or by another, or stands here with its reason.
  private func expectNoneSuperfluous(_ lines: [String], _ redis: RedisServer) throws {
    let rare: Set = [
      "unlink",  // a finished hold is forgotten after its retention, of a minute at least
      "hincrby", "hlen", "zcount",  // a hold has ended for a minute, and another for five
      "zadd",  // beside the script: a member of the index that is longer than a script may be
      "select",  // another database than 0
      "get",  // a repair
      "hget", "xdel",  // dead letters, when a person deals with them
    ]
    let done = Set(
      try redis.cli("INFO", "commandstats").split(whereSeparator: \.isNewline).compactMap { line in
        line.split(separator: ":").first?.dropFirst("cmdstat_".count).lowercased()
      })
    for user in ["stockd", "stockworker", "replica"] {
      let line = try #require(lines.first { $0.hasPrefix("user \(user) ") })
      for word in line.split(separator: " ") where word.hasPrefix("+") {
        let command = String(word.dropFirst())
        #expect(done.contains(command) || rare.contains(command), "\(user) \(word)")
      }
    }
    for (user, scripts) in [
      (
        "stockd",
        [
          "batch_1_read", "batch_4_sweep", "batch_6_write", "books", "due", "forgettable",
          "groups", "vote",
        ]
      ),
      (
        "stockworker",
        [
          "bury", "leave", "groups", "recount", "say", "audit_read", "open", "settle",
          "correct_hold",
          "correct_stock",
        ]
      ),
    ] {
      let rules = try #require(lines.first { $0.hasPrefix("user \(user) ") })
      for script in scripts {
        let path = Self.root.appending(path: "Sources/HotPath/Scripts/\(script).lua")
        let text = try String(contentsOf: path, encoding: .utf8)
        for call in text.matches(of: /call\('([A-Z]+)'/) {
          #expect(rules.contains("+" + call.1.lowercased()), "\(user), \(script): \(call.1)")
        }
      }
    }
  }

  @Test("what empties, ends or opens a Redis is refused to all, and what is another's to each")
  func forbidden() async throws {
    let redis = try RedisServer.start()
    let lines = try admit(redis)
    let toAll = [
      "FLUSHALL", "FLUSHDB", "SHUTDOWN", "DEBUG SLEEP 1", "REPLICAOF NO ONE", "SWAPDB 0 1",
      "ACL SETUSER x on", "SCRIPT FLUSH", "FUNCTION FLUSH", "MIGRATE h 1 k 0 1", "MODULE LIST",
      "CONFIG REWRITE", "CONFIG RESETSTAT", "SAVE", "MONITOR", "FAILOVER", "CLIENT PAUSE 1",
    ]
    let toDaemons = [
      "CONFIG SET appendfsync no", "KEYS *", "DEL stock:x", "RENAME stock:x y", "INCR stock:x",
      "EXPIRE stock:x 1", "SET elsewhere 1", "CLIENT LIST",
    ]
    for command in toAll {
      for user in ["stockd", "stockworker", "operator", "replica"] {
        let refusal = try verdict(user, command, redis)
        #expect(refusal.contains("no permissions"), "\(user) \(command): \(refusal)")
      }
    }
    for command in toDaemons {
      for user in ["stockd", "stockworker", "replica"] {
        let refusal = try verdict(user, command, redis)
        #expect(refusal.contains("no permissions"), "\(user) \(command): \(refusal)")
      }
    }
    for (user, command) in [
      ("stockd", "SCAN 0"), ("stockd", "GET stock:x"), ("stockworker", "SET request:x 9"),
      ("stockworker", "HSET holds.expiry a b"), ("stockworker", "XADD elsewhere * a b"),
      ("stockd", "HSET inventory.dead.seen a b"), ("stockd", "XADD inventory.dead * a b"),
      ("stockd", "XTRIM inventory.events MAXLEN 0"), ("stockd", "PUBLISH other x"),
    ] {
      let refusal = try verdict(user, command, redis)
      #expect(refusal.contains("no permissions"), "\(user) \(command): \(refusal)")
    }
    for command in [
      "SET stock:x 3", "GET stock:x", "KEYS hold:*", "XRANGE inventory.events - +",
      "XINFO GROUPS inventory.events", "XPENDING inventory.events inventory.cg", "INFO",
      "HGETALL sku:x", "ZRANGE holds.expiry 0 -1 WITHSCORES", "CONFIG SET appendfsync always",
      "CLIENT KILL TYPE normal", "RENAME fence aside", "XGROUP DESTROY inventory.events g",
      "ACL LOAD", "ACL LOG",
    ] {
      #expect(try verdict("operator", command, redis) == "OK", "\(command) stands in our manuals")
    }

    // Not only on paper; and a stranger is not let in at all.
    let flush = try Program.run(
      "redis-cli", ["-e", "-p", "\(redis.port)", "--user", "operator", "FLUSHALL"],
      environment: ["REDISCLI_AUTH": "secret-operator"])
    #expect(flush.status == 1 && (flush.stdout + flush.stderr).contains("NOPERM"), "\(flush)")
    try set(try #require(lines.first { $0.hasPrefix("user default") }), redis)
    let stranger = try Program.run("redis-cli", ["-e", "-p", "\(redis.port)", "GET", "stock:x"])
    #expect((stranger.stdout + stranger.stderr).contains("NOAUTH"), "\(stranger)")
    redis.stop()
  }

  @Test(
    "a rebuild by the operator, with the worker's role in the books: neither store refuses anything"
  )
  func rebuild() async throws {
    let redis = try RedisServer.start(opened: false)
    _ = try admit(redis)
    let postgres = try PostgresServer.shared()
    let superuser = try postgres.createDatabase()
    try postgres.psqlFile(superuser, Self.root.appending(path: "infra/postgres/roles.sql").path)
    func books(as role: String) -> String { superuser.replacing("postgres@", with: "\(role)@") }
    let migrated = try Program.run(
      "stockworker", ["--database", books(as: "stock_owner"), "--migrate-to", "latest"])
    #expect(migrated.status == 0, "\(migrated)")
    let market = try await Market.open(redis, environment: ["REDIS_URL": url("stockd", redis)])
    let worker = try Program.start(
      "stockworker", ["--database", books(as: "stock_worker"), "--name", "one"],
      environment: ["REDIS_URL": url("stockworker", redis)])
    defer {
      worker.stop()
      market.close()
    }
    try await market.ready()
    try await market.supply(10)
    let held = try await market.reserve("a", at: .ledger)
    #expect(held.acknowledged == .ledger)
    // One of each kind that a rebuild writes.
    for key in ["sold", "back"] {
      let hold = try await market.reserve(key).holdID
      if key == "sold" {
        let confirm = ConfirmRequest(holdID: hold, paymentRef: "p", acknowledge: .ledger)
        #expect(try await market.with { try await $0.call(confirm) }.outcome == .confirmed)
      } else {
        let cancel = CancelRequest(holdID: hold, acknowledge: .ledger)
        #expect(try await market.with { try await $0.call(cancel) }.outcome == .cancelled)
      }
    }

    try redis.cli("FLUSHALL")
    try await worker.waitForLog("emptied, or is another Redis")
    for more in [[], ["--accept-loss"]] {
      let rebuilt = try Program.run(
        "stockworker", ["--rebuild", "--database", books(as: "stock_worker")] + more,
        environment: ["REDIS_URL": url("operator", redis)])
      #expect(rebuilt.status == 0, "\(rebuilt)")
    }
    try await market.ready()
    for key in ["a", "sold", "back"] {
      #expect(try await market.reserve(key).outcome == .repeated, "\(key)")
    }
    let refused = try redis.cli("ACL", "LOG")
    #expect(refused.isEmpty, "\(refused)")
  }

  @Test("what was written under these users is there after a restart under them")
  func restart() async throws {
    let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: file) }
    // The harness comes as the default user: let in, with the rights that it has in the file.
    let lines = try users().map { line in
      line.hasPrefix("user default") ? line.replacing(" off", with: " on nopass") : line
    }
    try (lines.joined(separator: "\n") + "\n").write(to: file, atomically: true, encoding: .utf8)
    let redis = try RedisServer.start(extra: ["--aclfile", file.path])
    let market = try await Market.open(redis, environment: ["REDIS_URL": url("stockd", redis)])
    defer { market.close() }
    try await market.ready()
    try await market.supply(10)
    let held = try await market.reserve("a")
    redis.kill()
    try redis.restart()
    #expect(!redis.log.contains("== CRITICAL =="), "Redis has left something out")
    #expect(try redis.lost(of: [held.holdID: .active]) == 0)
    try await market.ready()
    let figures = try await market.figures()
    #expect(figures.held == 1 && figures.available == 9)
  }

  @Test("without a password for a user no file is written, and one that is there stays")
  func noPassword() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: file) }
    try "as it was".write(to: file, atomically: true, encoding: .utf8)
    for more in [[], [file.path]] {
      let made = try Program.run(
        Self.root.appending(path: "infra/redis/make-acl.sh").path, ["/nowhere"] + more)
      #expect(made.status != 0 && made.stdout.isEmpty)
    }
    #expect(try String(contentsOf: file, encoding: .utf8) == "as it was")
  }
}
