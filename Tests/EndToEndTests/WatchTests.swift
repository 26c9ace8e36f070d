import Foundation
import Harness
import Inventory
import RPC
import Testing
import Wire

@Suite("Stock/Watch")
struct WatchTests {
  @Test("the figures first, then each change; a SKU that nobody has set appears when it is")
  func changes() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    try await shop.supply(5)
    let client = shop.client()
    var updates = client.watch(skus: ["x", "later"]).makeAsyncIterator()
    let first = try #require(try await updates.next())
    let second = try #require(try await updates.next())
    let known = [first, second].sorted { $0.stock.sku < $1.stock.sku }
    #expect(known.map(\.stock.sku) == ["later", "x"])
    #expect(known.map(\.outcome) == [.unknownSKU, .found])
    #expect(known[1].stock.figures.available == 5)
    let held = try await client.call(ReserveRequest.of("a", qty: 2))
    var update = try #require(try await updates.next())
    #expect(update.stock.figures.available == 3 && update.stock.figures.held == 2)
    _ = try await client.call(ConfirmRequest(holdID: held.holdID, paymentRef: "p"))
    update = try #require(try await updates.next())
    #expect(update.stock.figures.sold == 2 && update.stock.figures.held == 0)
    try await shop.supply(7, of: "later")
    update = try #require(try await updates.next())
    #expect(update.stock.sku == "later" && update.outcome == .found)
    #expect(update.stock.figures.available == 7 && !update.isClosed)
    try shop.redis.cli("SET", "stock:x", "50")
    _ = await outcome { () throws(Status) in try await client.call(GetStockRequest(sku: "x")) }
    try await shop.supply(8, of: "later")
    update = try #require(try await updates.next())
    #expect(update.stock.figures.available == 8)
    await client.close()
    shop.close()
  }

  @Test("a token that is current brings nothing again; one that is not brings everything")
  func resume() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    for sku in ["a", "b"] { try await shop.supply(5, of: sku) }
    let client = shop.client()
    var updates = client.watch(skus: ["a", "b"]).makeAsyncIterator()
    _ = try await updates.next()
    let token = try #require(try await updates.next()).token
    var again = try await client.stream(WatchStockRequest(skus: ["b", "a"], after: token))
      .makeAsyncIterator()
    var stale = try await client.stream(
      WatchStockRequest(skus: ["b", "a"], after: "0123456789abcdef")
    ).makeAsyncIterator()
    // The stale one has been read in full by now, and so has the other, which asked first.
    let resent = [try await stale.next(), try await stale.next()].compactMap(\.?.stock.sku)
    #expect(Set(resent) == ["a", "b"])
    try await shop.supply(6, of: "b")
    let update = try #require(try await again.next())
    #expect(update.stock.sku == "b" && update.stock.figures.available == 6)
    for (skus, field) in [([], "skus"), (["a", "a"], "skus[1]"), (["a b"], "skus[0]")] {
      var wrong = client.watch(skus: skus).makeAsyncIterator()
      do {
        _ = try await wrong.next()
        Issue.record("\(skus) was accepted")
      } catch let status as Status {
        #expect(status.code == .invalidArgument && status.field == field)
      }
    }
    await client.close()
    shop.close()
  }

  @Test("a slow reader gets the latest figures, not what was between")
  func conflation() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    try await shop.supply(10_000)
    let client = shop.client()
    var updates = try await client.stream(
      WatchStockRequest(skus: ["x"]), windowBytes: 1
    ).makeAsyncIterator()
    #expect(try await updates.next()?.stock.figures.held == 0)
    var last: UInt64 = 0
    for round in 0..<50 {
      let items = (0..<100).map { ReserveRequest.of("\(round)-\($0)") }
      _ = try await client.call(BatchReserveRequest(items: items), timeoutMs: 20_000)
    }
    var seen = 0
    while last < 5_000, let update = try await updates.next() {
      #expect(update.stock.figures.held > last, "figures never go back here")
      last = update.stock.figures.held
      seen += 1
    }
    #expect(last == 5_000 && seen < 50, "\(seen) updates for 50 changes")
    await client.close()
    shop.close()
  }

  @Test("Redis or the server is killed: a watch goes on with what is true then")
  func killed() async throws {
    let shop = try await Shop.open()
    try await shop.supply(100)
    let client = shop.client()
    var updates = client.watch(skus: ["x"]).makeAsyncIterator()
    #expect(try await updates.next()?.stock.figures.held == 0)
    shop.redis.kill()
    try shop.redis.restart()
    _ = try await client.call(ReserveRequest.of("a"), timeoutMs: 20_000)
    #expect(try await updates.next()?.stock.figures.held == 1)
    shop.server.kill()
    let port = try #require(UInt16("\(shop.address)".split(separator: ":").last ?? ""))
    let second = try Program.start(
      "stockd", ["--listen", "127.0.0.1:\(port)", "--redis", shop.redis.url])
    _ = try await client.call(ReserveRequest.of("b"), timeoutMs: 20_000)
    #expect(try await updates.next()?.stock.figures.held == 2)
    await client.close()
    second.stop()
    shop.close()
  }

  @Test("stockctl stock watch prints a line for each change")
  func commandLine() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    try await shop.supply(3)
    let watch = try shop.ctl("stock", "watch", "x", "--count", "1")
    #expect(watch.status == 0)
    #expect(watch.stdout.hasPrefix("outcome=FOUND sku=x available=3 held=0 sold=0 supplied=3"))
    shop.close()
  }

  @Test("stockctl stock watch --after: prints nothing again that is still true")
  func commandLineResumes() async throws {
    let shop = try await Shop.open(redis: try RedisServer.start(appendOnly: false))
    try await shop.supply(3)
    let json = try shop.ctl("stock", "watch", "x", "--count", "1", "--json").stdout
    let token = String(try #require(json.firstMatch(of: /"token":"([0-9a-f]{16})"/)).1)
    let arguments = ["stock", "watch", "x", "--address", "\(shop.address)", "--after"]
    let session = try TerminalSession("stockctl", arguments + [token], columns: 200)
    try await eventually("it watches") {
      try shop.ctl("state", "--json").stdout.contains(#""streams":1"#)
    }
    try await shop.supply(4)
    try await session.wait(for: "available=4")
    session.interrupt()
    let (status, screen) = try session.end()
    #expect(status == 130 && !screen.contains("available=3"), "\(screen)")
    let said = try #require(
      screen.firstMatch(of: /interrupted after 1 line; go on with --after ([0-9a-f]{16})/),
      "\(screen)")
    #expect(said.1 != token)
    let stale = try Program.run("stockctl", arguments + [token, "--count", "1"])
    #expect(stale.stdout.contains("available=4"), "\(stale)")
    let wrong = try Program.run("stockctl", arguments + ["none"])
    #expect(wrong.status == 64 && wrong.stderr.contains("after must be the token"), "\(wrong)")
    shop.close()
  }
}
