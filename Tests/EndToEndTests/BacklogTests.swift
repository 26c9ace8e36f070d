import Harness
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
}
