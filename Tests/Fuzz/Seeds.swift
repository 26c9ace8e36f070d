import Glibc
import Inventory
@testable import Wire

/// Bytes as a client, a server or the script would write them; the fuzzer begins with them.
extension Target {
  /// Writes one file for each seed.
  func writeSeeds(below folder: String) {
    for (name, bytes) in seeds {
      let path = "\(folder)/\(rawValue)/\(name)"
      guard let file = fopen(path, "w") else { fatalError("cannot write \(path)") }
      fwrite(bytes, 1, bytes.count, file)
      fclose(file)
    }
  }

  private var seeds: [(String, [UInt8])] {
    switch self {
    case .frames: frameSeeds
    case .messages: messageSeeds
    case .server: serverSeeds
    case .client: clientSeeds
    }
  }

  private func encoded(_ write: (inout ByteBuffer, Arena) -> Void) -> [UInt8] {
    var buffer = ByteBuffer()
    write(&buffer, Arena())
    return Array(buffer.readable)
  }

  private func call(_ request: some RequestMessage) -> [UInt8] {
    encoded { buffer, arena in
      var message = ByteBuffer()
      request.encode(into: &message, arena: arena)
      RequestEnvelope.append(
        callID: 7, method: type(of: request).method, timeoutMs: 250, windowBytes: 1_000,
        metadata: [
          "traceparent": Self.traceParent, "x-request-id": "r-1",
        ], message: message, to: &buffer, arena: arena)
    }
  }

  private func answer(_ reply: some ReplyMessage) -> [UInt8] {
    encoded { buffer, arena in
      var message = ByteBuffer()
      reply.encode(into: &message, arena: arena)
      ResponseEnvelope.append(
        callID: 7, message: message, metadata: ["x-request-id": "r-1"], to: &buffer, arena: arena)
    }
  }

  private static let traceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
  private static let holdID =
    "\(HoldID(key: HoldKey(partition: 3, high: 5, low: 9), generation: 17))"

  // MARK: frames

  private var frameSeeds: [(String, [UInt8])] {
    let one = call(HealthCheckRequest())
    return [
      ("whole", [255, 0] + one), ("bytewise", [0, 0] + one + one),
      ("merged", [255, 2] + one + one + one),
      ("truncated", [7, 0] + one.dropLast(3)), ("empty", [3, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
      ("longest", [3, 0, 0x00, 0x20, 0x00, 0x00]),
      ("too-long", [3, 0] + one + [0x00, 0x20, 0x00, 0x01]),
      ("four-gigabytes", [3, 0, 0xFF, 0xFF, 0xFF, 0xFF]),
      ("http", [3, 0] + Array("GET / HTTP/1.1\r\n".utf8)),
    ]
  }

  // MARK: messages

  private var messageSeeds: [(String, [UInt8])] {
    requestSeeds.map { message, bytes in ("\(message)", [message.rawValue] + bytes) }
      + replySeeds.map { message, bytes in ("\(message)", [message.rawValue] + bytes) } + eventSeeds
      + [
        (Message.holdID, Array(Self.holdID.utf8)), (.traceParent, Array(Self.traceParent.utf8)),
        (.trace, TraceContext(traceHigh: 1, traceLow: 2, parent: 3, flags: 1)!.binary),
        (.digest, Array("00000000000000ff".utf8)),
      ].map { message, bytes in ("\(message)", [message.rawValue] + bytes) }
  }

  private var requestSeeds: [(Message, [UInt8])] {
    func message(_ request: some RequestMessage) -> [UInt8] {
      encoded { request.encode(into: &$0, arena: $1) }
    }
    let reserve = ReserveRequest(
      sku: "iphone_15_pro", qty: 2, userID: "arnav", idempotencyKey: "k-1", ttlMs: 60_000)
    return [
      (.request, Array(call(reserve).dropFirst(4))), (.hello, message(HelloRequest(client: "c/1"))),
      (.cancelCall, message(CancelCallRequest(callID: 7))),
      (.credit, message(CreditRequest(callID: 7, bytes: 32_768))),
      (.state, message(StateRequest(connectionsMax: 10))),
      (.healthCheck, message(HealthCheckRequest(service: "stock.v1.Stock"))),
      (.reserve, message(reserve)),
      (.confirm, message(ConfirmRequest(holdID: Self.holdID, paymentRef: "pay-1"))),
      (.cancel, message(CancelRequest(holdID: Self.holdID))),
      (.getHold, message(GetHoldRequest(userID: "arnav", idempotencyKey: "k-1"))),
      (
        .setStock,
        message(
          SetStockRequest(
            sku: "x", available: 10, requestID: "r-1", ifAvailable: 3, reason: "r", actor: "a"))
      ),
      (
        .adjustStock,
        message(AdjustStockRequest(sku: "x", delta: -3, requestID: "r-1", reason: "r", actor: "a"))
      ),
      (.retireStock, message(RetireStockRequest(sku: "x", requestID: "r-1", reason: "r"))),
      (.listStock, message(ListStockRequest(after: "x", limit: 7))),
      (.extend, message(ExtendRequest(holdID: Self.holdID, expiresAt: 60_000))),
      (.release, message(ReleaseRequest(holdID: Self.holdID, reason: "r", actor: "a"))),
      (.getStock, message(GetStockRequest(sku: "x"))),
      (.adoptStock, message(AdoptStockRequest(sku: "x"))),
      (.batchReserve, message(BatchReserveRequest(items: [reserve, reserve]))),
      (
        .follow,
        message(FollowRequest(after: "1-0.0.1", types: [.holdCreated, .stockSet], skus: ["x"]))
      ), (.watchStock, message(WatchStockRequest(skus: ["x", "y"], after: "00000000000000ff"))),
    ]
  }

  private var replySeeds: [(Message, [UInt8])] {
    func message(_ reply: some ReplyMessage) -> [UInt8] {
      encoded { reply.encode(into: &$0, arena: $1) }
    }
    let level = StockLevel(
      sku: "x", figures: Figures(available: 1, held: 2, sold: 3, supplied: 6, version: 4))
    let reserve = ReserveReply(
      outcome: .held, hold: HoldID(Self.holdID), status: .active, expiresAt: 1_795_521_722_120,
      available: 3)
    let failure = Status.invalid("qty", "at least 1")
    var limits = ConnectionLimits()
    limits.frameBytesMax = 2_097_152
    var connection = ConnectionState()
    (connection.peer, connection.callsInFlight) = ("203.0.113.9", 3)
    var method = MethodState()
    (method.method, method.failures) = ("m", [FailureCount(code: .internal, count: 2)])
    var shard = ShardState()
    (shard.connections, shard.methods, shard.redis.warnings) = ([connection], [method], ["w"])
    var state = StateReply()
    (state.shards, state.settings) = ([shard], [SettingState(name: "n", value: "v", origin: "o")])
    // As `describe.proto` has it: one file, with its descriptors.
    let descriptors: [UInt8] = [0x0A, 0x06, 0x0A, 0x01, 0x61, 0x32, 0x01, 0x0A]
    let event = EventBytes.of(.hold(.holdConfirmed, hold))
    return [
      (.response, Array(answer(reserve).dropFirst(4))),
      (.helloReply, message(HelloReply(version: 2, server: "stockd/1", limits: limits))),
      (.cancelCallReply, message(CancelCallReply(found: true))), (.reserveReply, message(reserve)),
      (
        .holdReply,
        message(
          HoldReply(outcome: .confirmed, hold: HoldView(hold, status: .confirmed, orderID: "o")))
      ),
      (.stockReply, message(StockReply(outcome: .found, stock: level))),
      (
        .stockUpdate,
        message(StockUpdate(outcome: .found, stock: level, isClosed: true, token: "t"))
      ),
      (
        .followItem,
        event.withUnsafeBytes { bytes in
          encoded {
            FollowItem(token: "t", type: "HOLD_CONFIRMED", bytes, arena: $1)
              .encode(bytes, into: &$0, arena: $1)
          }
        }
      ),
      (
        .listStockReply,
        message(ListStockReply(stock: [StockListing(stock: level, isClosed: true)], next: "x"))
      ),
      (
        .batchReserveReply,
        message(BatchReserveReply(results: [.success(reserve), .failure(failure)]))
      ),
      (
        .healthCheckReply,
        message(HealthCheckReply(status: .degraded, warnings: ["w"], version: "1"))
      ),
      (.stateReply, message(state)),
      (.describeReply, [0x0A, UInt8(descriptors.count)] + descriptors),
      (
        .notice,
        encoded { GoingAway(reason: "idle", closeAfterMs: 10).encode(into: &$0, arena: $1) }
      ),
    ]
  }

  private var hold: Hold {
    Hold(
      id: HoldID(key: HoldKey(partition: 3, high: 5, low: 9), generation: 17), status: .confirmed,
      version: 2, sku: SKU("x")!, qty: 2, user: Label("arnav")!, key: Label("k-1")!, expiresAt: 30,
      changedAt: 20, paymentRef: Label("pay-1"))
  }

  // MARK: events

  private var eventSeeds: [(String, [UInt8])] {
    let types = EventType.allCases
    func event(_ event: Event) -> [UInt8] {
      [Message.event.rawValue, UInt8(types.firstIndex(of: event.type)!)] + EventBytes.of(event)
    }
    let change = StockChange(
      sku: SKU("x")!, requestID: Label("r-1")!, changedAt: 20,
      figures: Figures(available: 1, held: 2, sold: 3, supplied: 6, version: 4), delta: -1)
    let confirmed = event(.hold(.holdConfirmed, hold))
    return [
      ("event-hold", confirmed), ("event-stock", event(.stock(.stockSet, change))),
      ("event-unknown", [Message.event.rawValue, UInt8(types.count)] + confirmed.dropFirst(2)),
      ("record", [Message.record.rawValue] + confirmed.dropFirst(2)),
    ]
  }

  // MARK: histories, see the steps of each

  private var serverSeeds: [(String, [UInt8])] {
    let frame = call(HealthCheckRequest())
    return [
      ("call", [0, 0, 1, 0, 3, 1, 1, 3, 4, 0, 6, 10, 0, 4, 0]),
      ("bytes", [0, 0, 0, 9] + frame[..<9] + [0, UInt8(frame.count - 9)] + frame[9...] + [4, 0]),
      ("garbage", [0, 0, 1, 0, 3, 0, 4, 255, 255, 255, 255]),
      ("same-id", [0, 0, 1, 0, 3, 1, 0, 3]),
      (
        "stream",
        [0, 0, 2, 0, 2, 3, 232, 3, 5, 0, 2, 4, 0, 15, 3, 0, 1, 2, 16, 0, 5, 0, 0, 15, 4, 0]
      ),
      ("cancel", [0, 0, 1, 0, 3, 3, 0, 0, 2, 1, 0, 3, 3, 1, 0]),
      ("too-many-calls", [0, 0, 8, 2, 4, 0, 1, 0, 3]),
      ("too-many-bytes", [0, 0, 8, 1, 4, 0, 1, 0, 3]),
      ("too-many-streams", [0, 0, 8, 0, 4, 0, 2, 0, 0, 3]),
      ("idle", [1, 0, 1, 0, 3, 4, 0, 6, 250, 0, 6, 250, 0, 6, 1, 0, 6, 10, 0]),
      ("old", [0, 1] + (0..<30).flatMap { _ in [6, 250, 0, 1, 0, 0, 4, 0] as [UInt8] }),
      ("half-a-frame", [0, 0, 1, 0, 3, 6, 50, 1, 6, 60, 1]),
      ("reads-nothing", [0, 0, 1, 0, 3, 6, 1, 2, 6, 250, 2, 6, 250, 6, 6, 250, 2, 6, 250, 2]),
      ("drain", [0, 0, 1, 0, 3, 2, 1, 0, 3, 7, 1, 2, 3, 4, 0, 6, 10, 0, 6, 10, 0, 1, 0, 3]),
      ("gone", [0, 0, 1, 0, 3, 2, 1, 0, 3, 9, 0]),
    ]
  }

  private var clientSeeds: [(String, [UInt8])] {
    let frame = answer(EmptyReply())
    return [
      ("call", [0, 0, 9, 1, 1, 50, 1, 50, 3, 2, 0, 0, 1, 3, 1, 0, 0, 0]),
      ("bytes", [0, 0, 1, 50, 0, 5] + frame[..<5] + [0, UInt8(frame.count - 5)] + frame[5...]),
      ("garbage", [0, 0, 1, 50, 0, 4, 255, 255, 255, 255, 1, 50]),
      (
        "stream",
        [
          1, 0, 8, 1, 2, 2, 1, 0, 0, 4, 1, 1, 50, 4, 1, 1, 50, 5, 1, 2, 4, 0, 4, 1, 0, 0, 3, 1, 0,
          0, 1,
        ]
      ),
      ("overrun", [1, 0, 2, 1, 1, 0, 4, 1, 1, 50, 1, 50, 4, 1, 1, 50]),
      ("cancel-early", [1, 0, 1, 50, 2, 0, 0, 6, 1, 6, 2, 8, 1, 6, 1, 8, 2]),
      ("first-version", [1, 0, 1, 50, 6, 1, 8, 0, 6, 1]),
      ("deadline", [1, 0, 1, 5, 1, 50, 7, 8, 8, 1, 7, 40]),
      ("silent-server", [0, 1, 9, 1, 2, 0, 0, 7, 60, 7, 60]),
      ("notice", [0, 0, 9, 1, 1, 50, 3, 0, 1, 1, 50, 3, 1, 0, 0, 0]),
      ("gone", [0, 0, 1, 50, 2, 0, 0, 9, 0, 1, 50]),
    ]
  }
}
