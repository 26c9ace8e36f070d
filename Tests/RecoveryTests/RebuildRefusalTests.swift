import Harness
import Testing
import Wire

/// A rebuild that cannot be carried out says so before it ends a sale.
@Suite("A rebuild that is refused", .serialized)
struct RebuildRefusalTests {
  /// A shop that has sold two units, and whose books know it.
  private func shop() async throws -> Deployment {
    let shop = try await Deployment.start()
    try await shop.supply(10)
    for key in ["a", "b"] { _ = try await shop.reserve(key) }
    try await shop.booksCaughtUp()
    return shop
  }

  private func expectRefusal(_ reason: String, of shop: Deployment) async throws {
    let refused = try shop.rebuild("--accept-loss")
    #expect(refused.status != 0 && refused.stderr.contains(reason), "\(refused)")
    #expect(!refused.stdout.contains("the sale is closed"))
    #expect(try shop.redis.cli("HEXISTS", "fence", "lost") == "0")
    #expect(try await shop.health().status == .serving)
    #expect(try await shop.reserve("after").outcome == .held)
    #expect(!shop.servers[0].program.log.contains("rebuilt"), "nobody heard of it")
  }

  @Test("books that contradict themselves: the dry run says how, and the sale goes on")
  func contradiction() async throws {
    let shop = try await shop()
    defer { shop.stop() }
    _ = try shop.sql("UPDATE holds SET qty = 12 WHERE idempotency_key = 'b'")
    let plan = try shop.rebuild()
    #expect(plan.status == 0, "\(plan)")
    for text in [
      "x: its movements say available 8, held 2, sold 0 of 10 supplied",
      "its holds are 13 active and 0 confirmed: 3 units are promised twice",
    ] { #expect(plan.stdout.contains(text), "\(plan.stdout)") }
    try await expectRefusal("the books contradict themselves: x: ", of: shop)
  }

  @Test("dead letters that nobody has decided on: the sale goes on")
  func deadLetters() async throws {
    let shop = try await shop()
    defer { shop.stop() }
    try shop.redis.cli("XADD", "inventory.dead", "*", "event", "e", "type", "t", "bytes", "")
    try await expectRefusal("1 dead letters are not in the books", of: shop)
  }
}
