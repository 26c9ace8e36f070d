import Foundation
import Harness
import Testing

/// The command line as a person and as a script use it.
@Suite("stockctl")
struct StockctlTests {
  private func json(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  @Test("the whole life of a hold, with the exit code and the JSON of each step")
  func life() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let set = try shop.ctl("stock", "set", "phone", "3", "--json")
    #expect(set.status == 0)
    #expect(try json(set.stdout)["available"] as? Int == 3)
    let reserve = try shop.ctl(
      "reserve", "phone", "--qty", "2", "--user", "arnav", "--key", "k1", "--ttl", "300s", "--json")
    #expect(reserve.status == 0)
    let held = try json(reserve.stdout)
    let hold = try #require(held["hold_id"] as? String)
    #expect(held["outcome"] as? String == "HELD" && held["status"] as? String == "ACTIVE")
    #expect(held["sku"] as? String == "phone" && held["qty"] as? Int == 2)
    #expect(held["available"] as? Int == 1 && (held["expires_at"] as? Int ?? 0) > 0)

    let again = try shop.ctl(
      "reserve", "phone", "--qty", "2", "--user", "arnav", "--key", "k1", "--ttl", "300s", "--json")
    #expect(again.status == 0)
    #expect(try json(again.stdout)["hold_id"] as? String == hold)
    #expect(
      try shop.ctl("reserve", "phone", "--qty", "2", "--user", "arnav", "--key", "k2").status == 3,
      "sold out")
    #expect(
      try shop.ctl("reserve", "nothing", "--user", "arnav", "--key", "k3").status == 5,
      "unknown SKU")
    #expect(
      try shop.ctl("reserve", "phone", "--user", "arnav", "--key", "k1").status == 6,
      "the key belongs to another request")

    let byKey = try shop.ctl("hold", "get", "--user", "arnav", "--key", "k1", "--json")
    #expect(try json(byKey.stdout)["hold_id"] as? String == hold)
    let confirm = try shop.ctl("confirm", hold, "--payment-ref", "pay-1", "--json")
    #expect(confirm.status == 0)
    let order = try #require(try json(confirm.stdout)["order_id"] as? String)
    #expect(UUID(uuidString: order) != nil)
    #expect(try shop.ctl("confirm", hold, "--payment-ref", "pay-2").status == 6)
    #expect(try shop.ctl("cancel", hold).status == 6)
    #expect(
      try shop.ctl("cancel", "H-0000000000000000000000000000-1").status == 5, "no such hold")
    let get = try shop.ctl("hold", "get", hold)
    #expect(get.stdout.contains("CONFIRMED") && get.stdout.contains("pay-1"))
    let stock = try json(try shop.ctl("stock", "get", "phone", "--json").stdout)
    #expect(stock["sold"] as? Int == 2 && stock["supplied"] as? Int == 3)
    shop.close()
  }

  @Test("expired, closed, unreachable and usage have codes of their own")
  func codes() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    _ = try shop.ctl("stock", "set", "x", "1")
    let held = try json(
      try shop.ctl("reserve", "x", "--user", "u", "--key", "k", "--ttl", "1s", "--json").stdout)
    let hold = try #require(held["hold_id"] as? String)
    try await eventually("the hold has expired") {
      try shop.ctl("hold", "get", hold).stdout.contains("EXPIRED")
    }
    #expect(try shop.ctl("confirm", hold, "--payment-ref", "p").status == 4)
    _ = try shop.redis.cli("SET", "stock:x", "junk")
    let closed = try shop.ctl("reserve", "x", "--user", "u", "--key", "k2")
    #expect(closed.status == 9 && closed.stderr.contains("stock adopt x"))
    _ = try shop.redis.cli("SET", "stock:x", "7")
    #expect(try shop.ctl("stock", "adopt", "x").status == 0)

    for wrong in [
      ["reserve", "x"], ["reserve", "x", "--user", "u", "--ttl", "soon"], ["stock", "set", "x"],
      ["hold", "get"], ["confirm", hold], ["dance"], ["stock", "set", "x", "-4"],
    ] {
      #expect(try Program.run("stockctl", wrong).status == 64, "\(wrong)")
    }
    let field = try shop.ctl("reserve", "a b", "--user", "u", "--json")
    #expect(field.status == 64)
    #expect(try json(field.stderr)["field"] as? String == "sku")

    let nobody = try Program.run(
      "stockctl", ["stock", "get", "x", "--address", "127.0.0.1:\(freePort())"])
    #expect(nobody.status == 7 && nobody.stderr.contains("cannot be reached"))
    shop.close()
  }

  @Test("health: 0 while it sells, 7 while it does not")
  func health() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let well = try shop.ctl("health", "--json")
    #expect(well.status == 0)
    #expect(try json(well.stdout)["status"] as? String == "SERVING")
    shop.redis.kill()
    try await eventually("it is noticed") { try shop.ctl("health").status == 7 }
    shop.close()
  }

  @Test("no secret is printed", arguments: ["stockd", "stockworker"])
  func secrets(program: String) throws {
    let secret = "s3cret-\(UInt32.random(in: 0 ... .max))"
    let environment = [
      "REDIS_URL": "redis://user:\(secret)@127.0.0.1:1",
      "DATABASE_URL": "postgresql://user:\(secret)@127.0.0.1:1/x",
    ]
    for arguments in [["--help"], ["--log-level", "nonsense"]] {
      let run = try Program.run(program, arguments, environment: environment)
      #expect(!run.stdout.contains(secret) && !run.stderr.contains(secret), "\(arguments)")
    }
    let port = freePort()
    let listen = program == "stockd" ? ["--listen", "127.0.0.1:\(port)"] : []
    let daemon = try Program.start(
      program, listen + ["--log-level", "trace"], environment: environment)
    // Long enough for an attempt to connect, which is what would be logged.
    _ = daemon.wait(timeout: .milliseconds(700))
    #expect(!daemon.log.contains(secret) && !daemon.log.isEmpty)
    daemon.stop()
  }

  @Test("bench counts what succeeded apart from what was sold out")
  func bench() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let run = try shop.ctl(
      "bench", "--connections", "4", "--outstanding", "4", "--seconds", "0.5", "--stock", "100",
      "--cpu-of", "server=\(shop.server.pid)", "--json")
    #expect(run.status == 0)
    let result = try json(run.stdout)
    #expect(result["held"] as? Int == 100 && (result["sold_out"] as? Int ?? 0) > 0)
    #expect(result["failures"] as? Int == 0)
    #expect(result["cpu_us_per_reserve_server"] != nil)
    shop.close()
  }
}
