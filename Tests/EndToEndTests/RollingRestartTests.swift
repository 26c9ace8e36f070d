import Harness
import RPC
import Testing
import Wire

/// New servers take over from old ones on the same address, while the crowd buys.
@Suite("Rolling restarts")
struct RollingRestartTests {
  @Test("three restarts under load: no acknowledged hold is lost, and no call fails")
  func rolling() async throws {
    let shop = try await Shop.open()
    try await shop.supply(1_000_000)
    let crowd = Crowd(shop, buyers: 16)
    await crowd.start()
    var running = shop.server
    for round in 1...3 {
      let bought = await crowd.held.count
      try await eventually("the crowd buys") { await crowd.held.count > bought + 200 }
      let next = try Program.start(
        "stockd", ["--listen", "\(shop.address)", "--redis", shop.redis.url])
      try await next.waitForLog("listening on")
      #expect(try running.terminate() == 0, "round \(round)")
      running = next
    }
    await crowd.stop()
    #expect(await crowd.refused == 0, "the client repeats by itself")
    #expect(await crowd.unknown == 0)
    let held = await crowd.held
    #expect(try await shop.stock().figures.held == UInt64(held.count))
    running.stop()
    shop.close()
  }

  @Test("connections that have grown old move to the newest server, and no call fails")
  func aged() async throws {
    let shop = try await Shop.open(arguments: [
      "--connection-age-ms", "1000", "--log-level", "debug",
    ])
    try await shop.supply(1_000_000)
    let crowd = Crowd(shop, buyers: 4)
    await crowd.start()
    try await shop.server.waitForLog("connection going away")
    await crowd.stop()
    #expect(await crowd.refused == 0)
    #expect(await crowd.unknown == 0)
    #expect(try await shop.stock().figures.held == UInt64(await crowd.held.count))
    shop.close()
  }
}
