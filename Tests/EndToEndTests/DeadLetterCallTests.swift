import Foundation
import Harness
import RPC
import Testing
import Wire

/// The life of events that could not be applied, as a person meets it.
@Suite("stockctl dead")
struct DeadLetterCallTests {
  private func json(_ line: some StringProtocol) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
  }

  private func lines(_ outcome: Program.Outcome) throws -> [[String: Any]] {
    #expect(outcome.status == 0, "\(outcome.stderr)")
    return try outcome.stdout.split(separator: "\n").map { try json($0) }
  }

  /// A shop in whose books nobody may be called seven, with three holds, one of them seven's.
  private func spoiled(ownPostgres: Bool = false) async throws -> (Shop, Office) {
    let shop = try await Shop.open()
    try await shop.ready()
    let office = try await Office.open(redis: shop.redis, ownPostgres: ownPostgres)
    _ = try office.sql("ALTER TABLE holds ADD CONSTRAINT no_seven CHECK (user_id <> 'seven')")
    try await shop.supply(10)
    let client = shop.client()
    for user in ["six", "seven", "eight"] {
      #expect(try await client.call(ReserveRequest.of("k", user: user)).outcome == .held)
    }
    await client.close()
    return (shop, office)
  }

  private func letter(_ office: Office) async throws -> [String: Any] {
    var found: [String: Any] = [:]
    try await eventually("the event is dead") {
      let all = try lines(try office.ctl("dead", "list", "--json"))
      found = all[0]
      return all.count == 2 && all[1]["total"] as? Int == 1
    }
    return found
  }

  @Test("refused, its neighbours applied; shown; replayed too early, then after the fix, once")
  func life() async throws {
    let (shop, office) = try await spoiled()
    defer {
      office.close()
      shop.close()
    }
    let dead = try await letter(office)
    let event = try #require(dead["event_id"] as? String)
    #expect(event.hasPrefix("H-") && event.hasSuffix("/1"))
    #expect(dead["attempts"] as? Int == 3 && dead["event_type"] as? String == "HOLD_CREATED")
    #expect((dead["reason"] as? String)?.contains("no_seven") == true)
    try await eventually("the neighbours are applied") {
      try office.sql("SELECT string_agg(user_id, ',' ORDER BY user_id) FROM holds") == "eight,six"
    }
    try await eventually("health says so") {
      try office.ctl("health").stdout.contains("dead letters: 1 (stockctl dead list)")
    }
    #expect(try lines(try office.ctl("dead", "list", "--json", "--reason", "eight")).count == 1)
    #expect(try lines(try office.ctl("dead", "list", "--json", "--reason", "seven")).count == 2)

    // What Redis would not even begin is known not to have happened.
    try shop.redis.cli("CONFIG", "SET", "min-replicas-to-write", "1")
    let refused = try office.ctl("dead", "replay", event)
    #expect(refused.status == 1 && refused.stderr.contains("STORE_FAILED"), "\(refused)")
    #expect(!refused.stderr.contains("outcome is unknown"))
    try shop.redis.cli("CONFIG", "SET", "min-replicas-to-write", "0")

    let shown = try office.ctl("dead", "show", event)
    for text in [
      "event.user_id          seven", "event.sku              x", "event.status           ACTIVE",
      "no_seven", "attempts               3",
    ] {
      #expect(shown.stdout.contains(text), "\(text) in \(shown.stdout)")
    }
    #expect(!shown.stdout.contains("event_hex"))
    let fields = try json(try office.ctl("dead", "show", event, "--json").stdout)
    #expect(fields["event.user_id"] as? String == "seven")
    #expect((fields["event_hex"] as? String)?.isEmpty == false)

    let early = try office.ctl("dead", "replay", event, "--json")
    #expect(try json(early.stdout)["replayed"] as? Int == 1)
    try await eventually("it is dead again, and all attempts count") {
      let again = try lines(try office.ctl("dead", "list", "--json"))
      return again[0]["attempts"] as? Int == 6
        && again[0]["first_at"] as? Int == dead["first_at"] as? Int
        && again[0]["place"] as? String != dead["place"] as? String
    }
    _ = try office.sql("ALTER TABLE holds DROP CONSTRAINT no_seven")
    let fixed = try office.ctl("dead", "replay", "--reason", "no_seven", "--json")
    #expect(try json(fixed.stdout)["replayed"] as? Int == 1)
    try await eventually("it is applied") {
      try office.sql("SELECT count(*) FROM holds WHERE user_id = 'seven'") == "1"
    }
    #expect(try office.sql("SELECT count(*) FROM stock_movements WHERE hold_id <> ''") == "3")
    #expect(try office.ctl("dead", "show", event).status == 5)
    let gone = try office.ctl("dead", "replay", event)
    #expect(gone.status == 5 && gone.stdout.contains("unknown"))
    #expect(try lines(try office.ctl("dead", "list", "--json")).count == 1)
  }

  @Test("discarded: only with --yes and why, remembered in the books, and not without them")
  func discard() async throws {
    let (shop, office) = try await spoiled(ownPostgres: true)
    defer {
      office.close(ownPostgres: true)
      shop.close()
    }
    let event = try #require(try await letter(office)["event_id"] as? String)
    let careless = try office.ctl(
      "dead", "discard", event, "--reason", "a test", "--actor", "ada")
    #expect(careless.status == 64 && careless.stderr.contains("say --yes"))
    #expect(try office.ctl("dead", "discard", event, "--yes").status == 64)
    let sure = ["dead", "discard", event, "--reason", "a test", "--actor", "ada", "--yes"]
    func discard() throws -> Program.Outcome {
      try Program.run("stockctl", sure + ["--address", "\(office.address)"])
    }
    office.postgres.kill()
    let away = try discard()
    #expect(away.status == 7 && away.stderr.contains("BOOKS_UNREACHABLE"))
    #expect(try office.ctl("dead", "show", event).status == 0, "it is still there")
    #expect(try office.ctl("dead", "replay", "nothing/1").status == 5, "Redis alone will do")
    try office.postgres.restart()
    try await eventually("the books are back") { try discard().status == 0 }
    #expect(try office.ctl("dead", "show", event).status == 5)
    #expect(
      try office.sql(
        "SELECT event_id, event_type, attempts, actor, peer, reason, length(event) > 50, "
          + "dead_reason LIKE '%no_seven%' FROM discarded_letters")
        == "\(event)|HOLD_CREATED|3|ada|127.0.0.1|a test|t|t")
    #expect(try discard().status == 5, "there is no such letter any more")
    #expect(try office.sql("SELECT count(*) FROM discarded_letters") == "1")
  }

  @Test("what cannot be read: pages, filters, all that match replayed once, bytes shown")
  func many() async throws {
    let office = try await Office.open()
    defer { office.close() }
    for number in 0..<250 {
      let type = number % 5 == 0 ? "HOLD_FROZEN" : "HOLD_MELTED"
      try office.redis.cli("XADD", "inventory.events", "*", "source", "1/t/1", type, "\u{1}x")
    }
    func total() throws -> Int? {
      try lines(try office.ctl("dead", "list", "--limit", "1", "--json")).last?["total"] as? Int
    }
    try await eventually("all are dead") { try total() == 250 }
    var seen: Set<String> = []
    var next = ""
    repeat {
      let page = try lines(
        try office.ctl("dead", "list", "--limit", "90", "--after", next, "--json"))
      seen.formUnion(page.compactMap { $0["event_id"] as? String })
      next = page.last?["next"] as? String ?? ""
    } while !next.isEmpty
    #expect(seen.count == 250)
    let frozen = try lines(
      try office.ctl("dead", "list", "--limit", "200", "--type", "FROZEN", "--json"))
    #expect(frozen.count == 51 && frozen.last?["next"] == nil)
    let event = try #require(frozen.first?["event_id"] as? String)
    #expect(try office.ctl("dead", "show", event).stdout.contains("event_hex    0178"))

    let replayed = try office.ctl("dead", "replay", "--type", "FROZEN", "--json")
    #expect(try json(replayed.stdout)["replayed"] as? Int == 50)
    try await eventually("they are dead again") {
      let again = try lines(
        try office.ctl("dead", "list", "--limit", "200", "--type", "FROZEN", "--json"))
      return again.count == 51 && again.dropLast().allSatisfy { $0["attempts"] as? Int == 2 }
    }
    #expect(try total() == 250)
    for wrong in [
      ["replay"], ["replay", "--all", event], ["list", "--limit", "0"], ["discard"],
      ["list", "--after", "soon"],
    ] {
      let outcome = try Program.run(
        "stockctl", ["dead"] + wrong + ["--address", "\(office.address)"])
      #expect(outcome.status == 64, "\(wrong): \(outcome.stdout)")
    }
    let client = office.client()
    let ids = (0...ReplayDeadLettersRequest.eventIDsMax).map { "x/\($0)" }
    let refused = await outcome { () throws(Status) in
      try await client.call(ReplayDeadLettersRequest(eventIDs: ids))
    }
    guard case .failure(let status) = refused else {
      Issue.record("\(refused)")
      return
    }
    #expect(status.field == "event_ids")
    await client.close()
  }

  @Test("Redis away: it says so; back again: the next call finds it")
  func redisAway() async throws {
    let office = try await Office.open()
    defer { office.close() }
    #expect(try office.ctl("dead", "list").status == 0)
    office.redis.kill()
    let away = try office.ctl("dead", "list")
    #expect(away.status == 7 && away.stderr.contains("STORE_UNREACHABLE"))
    try office.redis.restart()
    try await eventually("it lists again") { try office.ctl("dead", "list").status == 0 }
  }
}
