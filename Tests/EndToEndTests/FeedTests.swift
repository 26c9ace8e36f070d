import Foundation
import Harness
import Inventory
import RPC
import Testing
import Wire

@Suite("Events/Follow")
struct FeedTests {
  /// Makes holds, then confirms, cancels or lets expire each: 3 events for every 2 holds and more.
  private func sell(_ count: Int, _ name: String, of shop: Shop) async throws {
    let client = shop.client()
    let reply = try await client.call(
      BatchReserveRequest(
        items: (0..<count).map { place in
          .of("\(name)-\(place)", ttlMs: place % 3 == 2 ? 1_000 : 60_000)
        }), timeoutMs: 20_000)
    let holds = try reply.results.map { try $0.get().holdID }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (place, hold) in holds.enumerated() where place % 3 != 2 {
        group.addTask {
          if place % 3 == 0 {
            _ = try await client.call(
              ConfirmRequest(holdID: hold, paymentRef: "p"), timeoutMs: 20_000)
          } else {
            _ = try await client.call(CancelRequest(holdID: hold), timeoutMs: 20_000)
          }
        }
      }
      try await group.waitForAll()
    }
    await client.close()
  }

  @Test("two followers get every event of 1,000 holds, those of a hold in their order")
  func everything() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    try await shop.supply(1_000)
    let clients = [shop.client(), shop.client()]
    let logs = [FeedLog(), FeedLog()]
    await logs[0].start(clients[0])
    try await eventually("the first follows") { await logs[0].hasBegun }
    await logs[1].start(clients[1], FollowRequest(fromEarliest: true, skus: ["x"]))
    try await sell(1_000, "k", of: shop)
    try await eventually(timeout: .seconds(30), "both have every event") {
      let counts = (await logs[0].distinct, await logs[1].distinct)
      return counts == (2_000, 2_001)
    }
    for log in logs {
      #expect(await log.disordered == [])
      #expect(await log.events.count == log.distinct, "none came twice")
      #expect(await log.events.allSatisfy { $0.event != nil && $0.time > 0 })
      await log.stop()
    }
    let types = Dictionary(grouping: await logs[0].events, by: \.type).mapValues(\.count)
    #expect(
      types == [
        "HOLD_CREATED": 1_000, "HOLD_CONFIRMED": 334, "HOLD_CANCELLED": 333, "HOLD_EXPIRED": 333,
      ])
    for client in clients { await client.close() }
    shop.close()
  }

  @Test("Redis is killed in the middle: the stream stays, and nothing is missing")
  func redisKilled() async throws {
    let shop = try await Shop.open()
    try await shop.supply(600)
    let (client, log) = (shop.client(), FeedLog())
    await log.start(client, FollowRequest(fromEarliest: true))
    for round in 0..<3 {
      async let selling: Void = sell(200, "r\(round)", of: shop)
      try await eventually("it sells") { await log.distinct > round * 200 + 20 }
      shop.redis.kill()
      try shop.redis.restart()
      try await selling
    }
    try await eventually(timeout: .seconds(30), "every hold has ended") {
      await log.distinct >= 1_201
    }
    #expect(await log.disordered == [])
    #expect(try await shop.eventIDs(1_201) == Set(await log.events.map(\.id)))
    await log.stop()
    await client.close()
    shop.close()
  }

  @Test("the server is killed: a follower goes on by its token, on the next server")
  func serverKilled() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    let port = freePort()
    let arguments = ["--listen", "127.0.0.1:\(port)", "--redis", shop.redis.url]
    var second = try Program.start("stockd", arguments)
    try await shop.supply(900)
    let client = StockClient(to: Address(host: "127.0.0.1", port: port))
    let log = FeedLog()
    await log.start(client, FollowRequest(fromEarliest: true))
    for round in 0..<3 {
      async let selling: Void = sell(300, "r\(round)", of: shop)
      try await eventually("it follows") { await log.distinct > round * 300 + 20 }
      second.kill()
      try await selling
      second = try Program.start("stockd", arguments)
    }
    try await eventually(timeout: .seconds(30), "nothing is missing") {
      await log.distinct == 1_801
    }
    #expect(await log.disordered == [])
    await log.stop()
    await client.close()
    second.stop()
    shop.close()
  }

  @Test("a token is a place: inside an entry, too old, beyond the end, and not a token")
  func tokens() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    try await shop.supply(300)
    try await sell(20, "k", of: shop)
    try await eventually("all have ended") { try shop.events("HOLD_EXPIRED") == 6 }
    let (client, log) = (shop.client(), FeedLog())
    await log.start(client, FollowRequest(fromEarliest: true))
    try await eventually("everything has come") { await log.distinct == 41 }
    let items = await log.items
    await log.stop()
    for place in [1, 7, 20, 38] {
      let rest = FeedLog()
      await rest.start(client, FollowRequest(after: items[place].token))
      try await eventually("the rest has come") { await rest.events.count == 41 - place }
      #expect(await rest.events.map(\.id) == items[(place + 1)...].map(\.id), "after \(place)")
      await rest.stop()
    }
    // Everything is trimmed: who had read it all has missed nothing, everybody else has.
    try shop.redis.cli("XTRIM", "inventory.events", "MAXLEN", "0")
    let current = FeedLog()
    await current.start(client, FollowRequest(after: items.last!.token))
    try await eventually("it goes on") { await current.hasBegun }
    try await shop.supply(5)
    try await eventually("the new event has come") { await current.events.count == 1 }
    await current.stop()
    try await refused(client, after: items[20].token, .outOfRange, "TOKEN_TOO_OLD")
    let earliest = FeedLog()
    await earliest.start(client, FollowRequest(after: items.last!.token))
    try await eventually("its successor is there") { await earliest.events.count == 1 }
    await earliest.stop()
    try await refused(client, after: "9999999999999-0.0.9999", .outOfRange, "TOKEN_UNKNOWN")
    try await refused(client, after: "soon", .invalidArgument, "INVALID_FIELD")
    await client.close()
    shop.close()
  }

  private func refused(
    _ client: StockClient, after token: String, _ code: Code, _ reason: String
  ) async throws {
    let log = FeedLog()
    await log.start(client, FollowRequest(after: token))
    try await eventually("it is refused") { await log.failure != nil }
    let status = try #require(await log.failure)
    #expect(status.code == code && status.reason == reason)
    if reason == "TOKEN_TOO_OLD" {
      let earliest = try #require(
        status.message.split(separator: " ").last.map { String($0.dropLast()) })
      let again = FeedLog()
      await again.start(client, FollowRequest(after: earliest))
      try await eventually("the token that it names is good") { await again.hasBegun }
      await again.stop()
    }
  }

  @Test("filters, what no server can read, and the trace of the call")
  func filters() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    try await shop.supply(10)
    try await shop.supply(10, of: "y")
    let (client, log) = (shop.client(), FeedLog())
    await log.start(
      client, FollowRequest(fromEarliest: true, types: [.holdCreated], skus: ["y"]))
    try await eventually("it follows") { await log.hasBegun }
    let header = "00-6162636465666768696a6b6c6d6e6f70-7172737475767778-01"
    _ = try await client.call(ReserveRequest.of("a"))
    let held = try await client.call(
      ReserveRequest.of("b", sku: "y"), metadata: [Metadata.traceParentKey: header])
    try shop.redis.cli("XADD", "inventory.events", "*", "source", "0/w/9", "HOLD_MOVED", "new")
    try await eventually("two have come") { await log.events.count == 2 }
    let events = await log.events
    #expect(events[0].id == "\(held.holdID)/1" && events[0].traceparent == header)
    #expect(events[1].type == "HOLD_MOVED" && events[1].unread == Array("new".utf8))
    #expect(events[1].event == nil && events[1].id.isEmpty)
    await log.stop()
    await client.close()
    shop.close()
  }

  @Test("a reader that stops costs its window; others go on, and it finds everything again")
  func slowReader() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    try await shop.supply(1_000_000)
    let (client, log) = (shop.client(), FeedLog())
    let slow = try await client.stream(FollowRequest(), windowBytes: 4_096)
    var iterator = slow.makeAsyncIterator()
    #expect(try await iterator.next()?.type.isEmpty == true)
    await log.start(client)
    try await eventually("the other follows") { await log.hasBegun }
    for round in 0..<2 {
      let items = (0..<4_096).map { ReserveRequest.of("\(round)-\($0)") }
      _ = try await client.call(BatchReserveRequest(items: items), timeoutMs: 30_000)
      if round == 0 {
        try await eventually("the first have come") { await log.events.count == 4_096 }
      }
    }
    try await eventually(timeout: .seconds(30), "the other has everything") {
      await log.events.count == 2 * 4_096
    }
    // More than stays in memory: the slow one reads it by pages.
    var ids: [String] = []
    while ids.count < 2 * 4_096, let item = try await iterator.next() { ids.append(item.id) }
    #expect(ids == (await log.events.map(\.id)))
    await log.stop()
    await client.close()
    shop.close()
  }

  @Test("stockctl events follow: a line for each event, and a token that resumes")
  func commandLine() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    try await shop.supply(3)
    _ = try shop.ctl("reserve", "x", "--user", "u", "--key", "a")
    let first = try shop.ctl("events", "follow", "--from-earliest", "--count", "1", "--json")
    #expect(first.status == 0)
    let lines = first.stdout.split(separator: "\n").map(String.init)
    #expect(lines.last?.contains("\"event_type\":\"STOCK_SET\"") == true)
    let token = try #require(
      lines.last?.split(separator: "\"token\":\"").last?.prefix { $0 != "\"" })
    let next = try shop.ctl("events", "follow", "--after", String(token), "--count", "1")
    #expect(next.status == 0 && next.stdout.hasPrefix("event_type=HOLD_CREATED event_id=H-"))
    #expect(try shop.ctl("events", "follow", "--after", "soon").status == 64)
    #expect(try shop.ctl("events", "follow", "--type", "DANCE").status == 64)
    shop.close()
  }
}
