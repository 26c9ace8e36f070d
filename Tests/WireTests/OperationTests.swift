import Inventory
import Testing

@testable import Wire

@Suite("Requests are checked at the edge")
struct OperationTests {
  static let long = String(repeating: "x", count: 129)

  @Test(
    "reserve: every field out of range is refused by name",
    arguments: [
      (ReserveRequest(sku: "", qty: 1, userID: "u", idempotencyKey: "k"), "sku"),
      (ReserveRequest(sku: "a b", qty: 1, userID: "u", idempotencyKey: "k"), "sku"),
      (ReserveRequest(sku: long, qty: 1, userID: "u", idempotencyKey: "k"), "sku"),
      (ReserveRequest(sku: "a\0b", qty: 1, userID: "u", idempotencyKey: "k"), "sku"),
      (ReserveRequest(sku: "x", qty: 0, userID: "u", idempotencyKey: "k"), "qty"),
      (ReserveRequest(sku: "x", qty: 1_000_001, userID: "u", idempotencyKey: "k"), "qty"),
      (ReserveRequest(sku: "x", qty: .max, userID: "u", idempotencyKey: "k"), "qty"),
      (ReserveRequest(sku: "x", qty: 1, userID: "", idempotencyKey: "k"), "user_id"),
      (ReserveRequest(sku: "x", qty: 1, userID: long, idempotencyKey: "k"), "user_id"),
      (ReserveRequest(sku: "x", qty: 1, userID: "a\nb", idempotencyKey: "k"), "user_id"),
      (ReserveRequest(sku: "x", qty: 1, userID: "u", idempotencyKey: ""), "idempotency_key"),
      (ReserveRequest(sku: "x", qty: 1, userID: "u", idempotencyKey: long), "idempotency_key"),
      (ReserveRequest(sku: "x", qty: 1, userID: "u", idempotencyKey: "k", ttlMs: 999), "ttl_ms"),
      (
        ReserveRequest(sku: "x", qty: 1, userID: "u", idempotencyKey: "k", ttlMs: 604_800_001),
        "ttl_ms"
      ),
    ] as [(ReserveRequest, String)])
  func reserve(request: ReserveRequest, field: String) {
    expectInvalid(field, request) { try OperationDecoder().reserve($0, arena: $1) }
  }

  @Test("the limits themselves are allowed")
  func limits() throws {
    let request = ReserveRequest(
      sku: String(repeating: "s", count: 128), qty: 1_000_000,
      userID: String(repeating: "u", count: 128),
      idempotencyKey: String(repeating: "k", count: 128),
      ttlMs: 604_800_000)
    let reservation = try decode(request) { try OperationDecoder().reserve($0, arena: $1) }.value
    #expect(reservation.qty == 1_000_000 && reservation.ttlMs == 604_800_000)
  }

  @Test("every level of acknowledgement survives the wire, there and back; another is refused")
  func levels() throws {
    let decoder = OperationDecoder()
    let hold = "H-0000000000000000000000000000-5"
    for level in Acknowledgement.allCases + [nil] {
      let reserve = ReserveRequest(
        sku: "x", qty: 1, userID: "u", idempotencyKey: "k", acknowledge: level)
      #expect(try decode(reserve) { try decoder.reserve($0, arena: $1) }.level == level)
      let confirm = ConfirmRequest(holdID: hold, paymentRef: "p", acknowledge: level)
      #expect(try decode(confirm) { try decoder.confirm($0, arena: $1) }.level == level)
      let cancel = CancelRequest(holdID: hold, acknowledge: level)
      #expect(try decode(cancel) { try decoder.cancel($0, arena: $1) }.level == level)
      let batch = BatchReserveRequest(items: [reserve], acknowledge: level)
      let items = try decode(batch) { bytes, _ in try decoder.batchReserve(bytes) }
      #expect(items.level == level)
      #expect((try? items.value[0].get()) == nil || level == nil, "an item names none")
      let reply = ReserveReply(outcome: .held, available: 1, acknowledged: level)
      #expect(try decoded(reply) == reply)
      let changed = HoldReply(outcome: .cancelled, hold: nil, acknowledged: level)
      #expect(try decoded(changed) == changed)
    }
    let newer: [UInt8] = [0x0A, 1, 0x78, 0x10, 1, 0x1A, 1, 0x75, 0x22, 1, 0x6B, 0x30, 99]
    let status = #expect(throws: Status.self) {
      try newer.withUnsafeBytes { try decoder.reserve($0, arena: Arena()) }
    }
    #expect(status?.code == .invalidArgument && status?.field == "acknowledge")
  }

  @Test("no request brings what hides or turns a text, but holds of before are found")
  func hidden() throws {
    let (decoder, text) = (OperationDecoder(), "ada\u{202E}")
    let hold = "H-0000000000000000000000000000-5"
    for (field, user, key) in [("user_id", text, "k"), ("idempotency_key", "u", text)] {
      let request = ReserveRequest(sku: "x", qty: 1, userID: user, idempotencyKey: key)
      expectInvalid(field, request) { try decoder.reserve($0, arena: $1) }
      let found = try decode(GetHoldRequest(userID: user, idempotencyKey: key)) {
        try decoder.getHold($0, arena: $1)
      }
      let made = Identity().hold(user: Label(user)!, key: Label(key)!)
      #expect(found == .getHold(made, generation: nil))
    }
    expectInvalid("payment_ref", ConfirmRequest(holdID: hold, paymentRef: text)) {
      try decoder.confirm($0, arena: $1)
    }
    expectInvalid("reason", ReleaseRequest(holdID: hold, reason: text, actor: "a")) {
      try decoder.release($0, arena: $1)
    }
    expectInvalid("request_id", SetStockRequest(sku: "x", available: 1, requestID: text)) {
      try decoder.setStock($0, arena: $1)
    }
    expectInvalid("actor", AdjustStockRequest(sku: "x", delta: 1, requestID: "r", actor: text)) {
      try decoder.adjustStock($0, arena: $1)
    }
  }

  @Test("confirm, cancel, GetHold and stock name their fields too")
  func others() {
    let hold = "H-0000000000000000000000000000-5"
    let decoder = OperationDecoder()
    expectInvalid("hold_id", ConfirmRequest(holdID: "H-1", paymentRef: "p")) {
      try decoder.confirm($0, arena: $1)
    }
    expectInvalid("payment_ref", ConfirmRequest(holdID: hold, paymentRef: "")) {
      try decoder.confirm($0, arena: $1)
    }
    expectInvalid("payment_ref", ConfirmRequest(holdID: hold, paymentRef: Self.long)) {
      try decoder.confirm($0, arena: $1)
    }
    expectInvalid("hold_id", CancelRequest(holdID: "")) { try decoder.cancel($0, arena: $1) }
    expectInvalid("user_id", GetHoldRequest(holdID: "")) { try decoder.getHold($0, arena: $1) }
    expectInvalid("idempotency_key", GetHoldRequest(userID: "u", idempotencyKey: "")) {
      try decoder.getHold($0, arena: $1)
    }
    var both = GetHoldRequest(holdID: hold)
    both.userID = "u"
    expectInvalid("hold_id", both) { try decoder.getHold($0, arena: $1) }
    expectInvalid(
      "available", SetStockRequest(sku: "x", available: 1_000_000_000_001, requestID: "r")
    ) { try decoder.setStock($0, arena: $1) }
    expectInvalid("request_id", SetStockRequest(sku: "x", available: 1, requestID: "")) {
      try decoder.setStock($0, arena: $1)
    }
    let life = Int64(Limits.holdLifeMsMax)
    for deadline in [0, 6 + life, -1, .min, .max] {
      expectInvalid("expires_at", ExtendRequest(holdID: hold, expiresAt: deadline)) {
        try decoder.extend($0, arena: $1)
      }
    }
    expectInvalid("hold_id", ExtendRequest(holdID: "H-1", expiresAt: 9)) {
      try decoder.extend($0, arena: $1)
    }
    for (reason, actor, field) in [
      ("", "a", "reason"), (Self.long, "a", "reason"), ("r", "", "actor"),
      ("r", "a\u{1B}", "actor"),
    ] {
      expectInvalid(field, ReleaseRequest(holdID: hold, reason: reason, actor: actor)) {
        try decoder.release($0, arena: $1)
      }
    }
    let (large, smallest) = (1_000_000_000_001 as UInt64, Int64.min)
    expectInvalid(
      "if_available",
      SetStockRequest(sku: "x", available: 1, requestID: "r", ifAvailable: large)
    ) { try decoder.setStock($0, arena: $1) }
    for (reason, actor, field) in [(Self.long, "", "reason"), ("", "a\nb", "actor")] {
      expectInvalid(
        field,
        SetStockRequest(sku: "x", available: 1, requestID: "r", reason: reason, actor: actor)
      ) { try decoder.setStock($0, arena: $1) }
      expectInvalid(
        field,
        AdjustStockRequest(sku: "x", delta: 1, requestID: "r", reason: reason, actor: actor)
      ) { try decoder.adjustStock($0, arena: $1) }
      expectInvalid(
        field, RetireStockRequest(sku: "x", requestID: "r", reason: reason, actor: actor)
      ) { try decoder.retireStock($0, arena: $1) }
    }
    for delta in [0, Int64(large), -Int64(large), smallest] {
      expectInvalid("delta", AdjustStockRequest(sku: "x", delta: delta, requestID: "r")) {
        try decoder.adjustStock($0, arena: $1)
      }
    }
    expectInvalid("request_id", AdjustStockRequest(sku: "x", delta: 1, requestID: "")) {
      try decoder.adjustStock($0, arena: $1)
    }
    expectInvalid("request_id", RetireStockRequest(sku: "x", requestID: "")) {
      try decoder.retireStock($0, arena: $1)
    }
    expectInvalid("limit", ListStockRequest(limit: 201)) { try decoder.listStock($0, arena: $1) }
    expectInvalid("after", ListStockRequest(after: "a b")) { try decoder.listStock($0, arena: $1) }
    expectInvalid("sku", GetStockRequest(sku: "{p}")) { try decoder.getStock($0, arena: $1) }
    expectInvalid("sku", AdoptStockRequest(sku: "")) { try decoder.adoptStock($0, arena: $1) }
  }

  @Test("an order says all that its request said; who and why may be left out, up to 128 bytes")
  func orders() throws {
    let decoder = OperationDecoder()
    let text = String(repeating: "é", count: 64)
    for expected in [nil, 0, 1_000_000_000_000] as [UInt64?] {
      let set = SetStockRequest(
        sku: "x", available: 7, requestID: "r", ifAvailable: expected, reason: text, actor: text)
      let order = try decode(set) { try decoder.setStock($0, arena: $1) }
      #expect(order.change == .set(7, ifAvailable: expected) && order.requestID.text == "r")
      #expect(order.attribution?.reason?.text == text && order.attribution?.actor?.text == text)
      #expect(
        order.fingerprint == StockOrder(.set(7), of: SKU("x")!, requestID: Label("r")!).fingerprint)
    }
    let adjust = AdjustStockRequest(sku: "x", delta: -5, requestID: "r", actor: "ada")
    let order = try decode(adjust) { try decoder.adjustStock($0, arena: $1) }
    #expect(order.change == .adjust(-5) && order.attribution?.reason == nil)
    #expect(order.attribution?.actor?.text == "ada")
    let hold = "H-0000000000000000000000000000-5"
    for deadline in [1, 4, 5, 6, 5 + Limits.holdLifeMsMax] {
      let extend = try decode(ExtendRequest(holdID: hold, expiresAt: Int64(deadline))) {
        try decoder.extend($0, arena: $1)
      }
      #expect(extend.value == .extend(HoldID(hold)!, expiresAt: deadline))
    }
    let release = try decode(ReleaseRequest(holdID: hold, reason: text, actor: "ada")) {
      try decoder.release($0, arena: $1)
    }
    let said = Attribution(actor: Label("ada"), reason: Label(text))
    #expect(release.value == .cancel(HoldID(hold)!, by: said))
    let retire = try decode(RetireStockRequest(sku: "x", requestID: "r")) {
      try decoder.retireStock($0, arena: $1)
    }
    #expect(retire.change == .retire && retire.attribution == nil)
    let page = try decode(ListStockRequest(after: "x")) { try decoder.listStock($0, arena: $1) }
    #expect(page.after?.text == "x" && page.limit == Limits.stockPageDefault)
  }

  @Test("bytes that are not the message are refused, not read as an empty one")
  func malformed() {
    let decoder = OperationDecoder()
    let bytes: [UInt8] = [0xFF, 0x01]
    #expect(throws: Status.malformedMessage) {
      var buffer = ByteBuffer()
      bytes.withUnsafeBytes { buffer.append($0) }
      _ = try decoder.reserve(buffer.readable, arena: Arena())
    }
  }

  @Test("user and key are told apart, and from their neighbours")
  func identity() throws {
    let identity = Identity()
    func key(_ user: String, _ key: String) throws -> HoldKey {
      identity.hold(user: try #require(Label(user)), key: try #require(Label(key)))
    }
    #expect(try key("ab", "c") != key("a", "bc"))
    #expect(try key("u", "k") == key("u", "k"))
    #expect(try key("u", "k") != key("v", "k"))
  }

  @Test("an order id is a version 8 UUID that depends on the generation")
  func orderID() {
    let key = HoldKey(partition: 0, high: 1, low: 2)
    let identity = Identity()
    let first = identity.order(of: HoldID(key: key, generation: 1))
    #expect(first == identity.order(of: HoldID(key: key, generation: 1)))
    #expect(first != identity.order(of: HoldID(key: key, generation: 2)))
    #expect(first.count == 36 && Array(first)[14] == "8" && "89ab".contains(Array(first)[19]))
  }

  private func decode<Result>(
    _ request: some RequestMessage, _ decode: (UnsafeRawBufferPointer, Arena) throws -> Result
  ) throws -> Result {
    let arena = Arena()
    var bytes = ByteBuffer()
    request.encode(into: &bytes, arena: arena)
    return try decode(bytes.readable, arena)
  }

  /// A reply as its caller reads it.
  private func decoded<Reply: ReplyMessage>(_ reply: Reply) throws -> Reply {
    var bytes = ByteBuffer()
    reply.encode(into: &bytes, arena: Arena())
    return try Reply(bytes.readable, arena: Arena())
  }

  private func expectInvalid<Result>(
    _ field: String, _ request: some RequestMessage,
    _ decode: (UnsafeRawBufferPointer, Arena) throws -> Result
  ) {
    do {
      _ = try self.decode(request, decode)
      Issue.record("\(field) was accepted")
    } catch let status as Status {
      #expect(status.code == .invalidArgument && status.field == field)
      #expect(status.reason == "INVALID_FIELD")
    } catch {
      Issue.record("\(error)")
    }
  }
}
