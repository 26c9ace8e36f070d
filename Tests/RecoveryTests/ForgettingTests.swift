import Harness
import Testing
import Wire

/// How a Redis forgets.
enum Forgetting: CaseIterable {
  case emptied
  case swappedForEmpty
  case swappedForOlderCopy
  case swappedForAnothers
}

/// What is away while it happens, and comes back before the rebuild.
enum Absence: CaseIterable {
  /// The one that knows of the last writes.
  case oneServer
  /// The books have not heard of the last writes.
  case postgres
}

@Suite("A Redis that forgets while something else is away", .serialized)
struct ForgettingTests {
  private static let units = 20
  /// Of the tests here alone: it is killed.
  private static let postgres = Result { try PostgresServer.start() }

  @Test(
    "not one reserve succeeds before the rebuild, and after it no unit is sold twice",
    arguments: Forgetting.allCases, Absence.allCases)
  func closed(_ forgetting: Forgetting, _ absence: Absence) async throws {
    let shop = try await Deployment.start(
      servers: 2, postgres: absence == .postgres ? Self.postgres.get() : nil)
    defer { shop.stop() }
    let copy = try await sell(shop, absence)

    let callers = Callers(shop.servers.map(\.address))
    try await forget(shop, forgetting, copy, callers)
    try await refused(callers, by: 0)
    switch absence {
    case .oneServer: try await shop.restartServer(1)
    case .postgres: try shop.postgres.restart()
    }
    try await shop.worker.waitForLog(
      reason(forgetting, absence), timeout: .seconds(30))
    for server in 0...1 { try await refused(callers, by: server) }
    #expect(await callers.held == 0)

    // What is another's is not overwritten: a person has to empty it.
    if forgetting == .swappedForAnothers { try shop.redis.cli("FLUSHALL") }
    // A Redis that knows nothing cannot tell whether it is the same, started again.
    let isEmpty = forgetting == .swappedForEmpty || forgetting == .swappedForAnothers
    if isEmpty {
      let refused = try shop.rebuild("--accept-loss")
      #expect(refused.status == 1 && refused.stderr.contains("--others-are-off"), "\(refused)")
    }
    let rebuilt =
      try isEmpty
      ? shop.rebuild("--accept-loss", "--others-are-off") : shop.rebuild("--accept-loss")
    #expect(rebuilt.status == 0, "\(rebuilt)")
    try await eventually(timeout: .seconds(30), "both servers have sold all that there is") {
      await callers.soldOut.count == 2
    }
    await callers.stop()
    try await shop.sumsAgree()
    #expect(try await shop.stock().figures.held == UInt64(Self.units))
    // Of the last hold, which the books never heard of, only its buyer knows: that is the loss.
    let known = absence == .postgres ? 2 : 3
    #expect(try shop.sql("SELECT count(*) FROM holds WHERE user_id = 'u'") == "\(known)")
    #expect(await callers.held == Self.units - known)
  }

  /// - Returns: a copy of Redis's files without the last hold.
  private func sell(_ shop: Deployment, _ absence: Absence) async throws -> RedisFiles {
    try await shop.supply(UInt64(Self.units))
    for server in 0...1 { _ = try await shop.reserve("early \(server)", server: server) }
    try await shop.booksCaughtUp()
    let copy = try shop.redis.copyOfFiles()
    if absence == .postgres { shop.postgres.kill() }
    _ = try await shop.reserve("late", server: 1)
    if absence == .oneServer {
      try await shop.booksCaughtUp()
      shop.servers[1].program.kill()
    }
    return copy
  }

  /// Callers come as soon as the memory is gone.
  private func forget(
    _ shop: Deployment, _ forgetting: Forgetting, _ copy: RedisFiles, _ callers: Callers
  ) async throws {
    let redis = shop.redis
    if forgetting == .emptied {
      try redis.cli("FLUSHALL")
      await callers.start()
    } else {
      redis.kill()
      switch forgetting {
      case .emptied, .swappedForEmpty: try redis.replaceFiles(with: nil)
      case .swappedForOlderCopy: try redis.replaceFiles(with: copy)
      case .swappedForAnothers: try redis.replaceFiles(with: anothers())
      }
      await callers.start()
      try redis.restart()
    }
    // An empty Redis looks as if there were something to sell, too.
    if forgetting == .emptied || forgetting == .swappedForEmpty {
      try redis.cli("SET", "stock:x", "\(Self.units)")
    }
  }

  /// Files of a Redis that belongs to other books.
  private func anothers() throws -> RedisFiles {
    let redis = try RedisServer.start()
    defer { redis.stop() }
    try redis.cli("SET", "stock:x", "1000")
    return try redis.copyOfFiles()
  }

  private func refused(_ callers: Callers, by server: Int) async throws {
    let before = await callers.refused[server]
    try await eventually("server \(server) refuses") {
      await callers.refused[server] >= before + 5
    }
  }

  private func reason(_ forgetting: Forgetting, _ absence: Absence) -> String {
    switch forgetting {
    case .emptied, .swappedForEmpty: "emptied, or is another Redis"
    case .swappedForAnothers: "it belongs to deployment"
    case .swappedForOlderCopy:
      absence == .oneServer ? "its last writes are lost" : "was answered up to"
    }
  }
}
