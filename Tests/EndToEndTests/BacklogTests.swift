import Harness
import HotPath
import RPC
import Testing
import Wire

@Suite("Backpressure")
struct BacklogTests {
  @Test(
    "no worker and a small limit: new holds are refused, the rest goes on, and no event is lost")
  func refused() async throws {
    let shop = try await Shop.open(arguments: ["--backlog-bytes", "32768"])
    defer { shop.close() }
    try await shop.ready()
    try await shop.supply(100_000)
    let client = shop.client()
    var held: [String] = []
    var refusal: Status?
    while refusal == nil, held.count < 20_000 {
      let request = ReserveRequest.of("k\(held.count)")
      switch await outcome({ () throws(Status) in try await client.call(request) }) {
      case .success(let reply): held.append(reply.holdID)
      case .failure(let status): refusal = status
      }
    }
    #expect(refusal?.code == .resourceExhausted && refusal?.reason == "BACKLOG")
    #expect(refusal?.retryable == true && refusal?.outcomeUnknown == false)
    let health = try await client.call(HealthCheckRequest())
    #expect(health.status == .degraded)
    #expect(health.warnings.contains { $0.contains("too many events wait for the books") })
    #expect(shop.server.log.contains("ALARM: too many events wait for the books"))
    let confirmed = try await client.call(ConfirmRequest(holdID: held[0], paymentRef: "p"))
    #expect(confirmed.outcome == .confirmed)
    #expect(try await client.call(CancelRequest(holdID: held[1])).outcome == .cancelled)

    let postgres = try PostgresServer.shared()
    let database = try postgres.createDatabase()
    RedisServer.nameBooks(database)
    let worker = try Program.start(
      "stockworker", ["--redis", shop.redis.url, "--database", database, "--name", "w"])
    defer { worker.stop() }
    try await eventually("new holds begin again") {
      try await client.call(ReserveRequest.of("later")).outcome == .held
    }
    try await eventually("every hold is in the books") {
      try postgres.psql(database, "SELECT count(*) FROM holds") == "\(held.count + 1)"
    }
    #expect(try postgres.psql(database, "SELECT count(*) FROM orders") == "1")
    await client.close()
  }

  @Test("Redis counts applied events as waiting after a restart: new holds go on without a worker")
  func miscounted() async throws {
    let shop = try await Shop.open(arguments: ["--backlog-bytes", "4096"])
    defer { shop.close() }
    try await shop.ready()
    let office = try await Office.open(redis: shop.redis)
    defer { office.close() }
    try await shop.supply(1_000)
    let (client, keys) = (shop.client(), KeySpace())
    func group(_ name: String) throws -> String {
      let lines = try shop.redis.cli("XINFO", "GROUPS", keys.events).split(separator: "\n")
      return String(lines[lines.firstIndex(of: Substring(name))! + 1])
    }
    for number in 0..<100 {
      try await eventually("a hold, with the books close behind") {
        try await client.call(ReserveRequest.of("k\(number)")).outcome != .soldOut
      }
    }
    try await eventually("the books have everything") {
      try group("pending") == "0" && group("lag") == "0"
    }
    office.worker.kill()
    // As it is after a restart whose file was rewritten before the group had read anything.
    try shop.redis.cli(
      "XGROUP", "SETID", keys.events, KeySpace.group, group("last-delivered-id"), "ENTRIESREAD",
      "0")
    #expect(try Int(group("lag"))! > 100)
    #expect(try Int(shop.redis.cli("MEMORY", "USAGE", keys.events))! > 2 * 4096)
    func looks() throws -> Int {
      let stats = try shop.redis.cli("INFO", "commandstats")
      return stats.firstMatch(of: /cmdstat_memory\|usage:calls=(\d+)/).flatMap { Int($0.1) } ?? 0
    }
    let before = try looks()
    try await eventually("the server has looked at the backlog") { try looks() >= before + 3 }
    #expect(try await client.call(ReserveRequest.of("later")).outcome == .held)
    #expect(!shop.server.log.contains("too many events wait for the books"))
    await client.close()
  }
}
