import Foundation
import Harness
import Testing
import Wire

/// Events as a person follows them.
@Suite("stockctl events tail")
struct TailTests {
  private func shop() async throws -> (Shop, hold: String) {
    let shop = try await Shop.open()
    try await shop.ready()
    try await shop.supply(10)
    try await shop.supply(10, of: "y")
    let client = shop.client()
    var hold = ""
    for user in ["ada", "bob", "ada"] {
      let sku = hold.isEmpty ? "x" : "y"
      let reply = try await client.call(ReserveRequest.of("k-\(sku)", sku: sku, user: user))
      if hold.isEmpty { hold = reply.holdID }
    }
    _ = try await client.call(CancelRequest(holdID: hold))
    await client.close()
    return (shop, hold)
  }

  @Test("filters by user, hold, SKU and type, alone and together")
  func filters() async throws {
    let (shop, hold) = try await shop()
    func types(_ filter: String..., count: Int) throws -> [String] {
      let said = try Program.run(
        "stockctl",
        ["events", "tail", "--from-earliest", "--json", "--count", "\(count)"] + filter
          + ["--address", "\(shop.address)"])
      #expect(said.status == 0, "\(said.stderr)")
      return try said.stdout.split(separator: "\n").compactMap {
        let event = try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        return event?["event_type"] as? String
      }
    }
    let created = "HOLD_CREATED"
    #expect(try types("--user", "ada", count: 3) == [created, created, "HOLD_CANCELLED"])
    #expect(try types("--user", "bob", "--user", "ada", count: 4).count == 4)
    #expect(try types("--hold", hold, count: 2) == [created, "HOLD_CANCELLED"])
    #expect(try types("--user", "ada", "--sku", "y", count: 1) == [created])
    #expect(
      try types("--user", "ada", "--type", "HOLD_CANCELLED", count: 1) == ["HOLD_CANCELLED"])
    let person = try shop.ctl("events", "tail", "--from-earliest", "--hold", hold, "--count", "1")
    #expect(person.stdout.contains("event_type=HOLD_CREATED") && person.stdout.contains("time=20"))
    shop.close()
  }

  @Test("interrupted: says how many it has shown and where to go on; and goes on there")
  func interrupted() async throws {
    let (shop, _) = try await shop()
    let session = try TerminalSession(
      "stockctl",
      ["events", "follow", "--from-earliest", "--user", "ada", "--address", "\(shop.address)"],
      columns: 400)
    try await session.wait(for: "HOLD_CANCELLED")
    session.interrupt()
    let (status, screen) = try session.end()
    #expect(status == 130, "\(screen)")
    let said = try #require(
      screen.firstMatch(of: /interrupted after 3 lines; go on with --after (\S+)/), "\(screen)")
    let token = String(said.1)
    try await shop.supply(11)
    let next = try shop.ctl("events", "tail", "--after", token, "--count", "1")
    #expect(next.stdout.contains("available=11"), "\(next)")
    shop.close()
  }

  @Test("says when its server is away, and when it is back; and goes on")
  func lost() async throws {
    let (shop, _) = try await shop()
    let session = try TerminalSession(
      "stockctl", ["events", "tail", "--sku", "x", "--address", "\(shop.address)"], columns: 400)
    try await eventually("it follows") {
      try shop.ctl("state", "--json").stdout.contains(#""streams":1"#)
    }
    shop.server.kill()
    try await session.wait(for: "waiting for the server")
    let again = try Program.start(
      "stockd", ["--listen", "\(shop.address)", "--redis", shop.redis.url])
    try await shop.supply(12)
    try await session.wait(for: "the server is back")
    try await session.wait(for: "available=12")
    session.interrupt()
    #expect(try session.end().0 == 130)
    again.stop()
    shop.close()
  }

  @Test("a server that is not there is said at once")
  func away() throws {
    let address = "127.0.0.1:\(freePort())"
    let said = try Program.run("stockctl", ["events", "tail", "--address", address])
    #expect(said.status == 7 && said.stderr.contains("UNREACHABLE"))
    #expect(try Program.run("stockctl", ["stock", "watch", "x", "--address", address]).status == 7)
  }
}
