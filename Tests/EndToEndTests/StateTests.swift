import Dispatch
import Foundation
import Harness
import HotPath
import Logging
import RPC
import Reservations
import Testing
import Wire

/// What the server says of itself while it runs.
@Suite("Live state, contracts and health by service")
struct StateTests {
  @Test("one call names every shard, its connections and what they have called")
  func allShards() async throws {
    let shop = try await Shop.open(arguments: ["--shards", "3", "--slow-call-ms", "77"])
    try await shop.ready()
    try await shop.supply(1)
    let clients = (0..<12).map { number in
      var options = StockClient.Options()
      options.name = "buyer/\(number)"
      return StockClient(to: shop.address, options: options)
    }
    for (number, client) in clients.enumerated() {
      _ = try await client.call(ReserveRequest.of("k\(number)", user: "u\(number)"))
    }
    let state = try await clients[0].call(StateRequest())
    #expect(state.process.pid == UInt32(shop.server.pid) && state.process.rssBytes > 1_000_000)
    #expect(state.process.version == Release.version && state.process.uptimeMs > 0)
    #expect(state.settings.contains { $0.name == "slow-call-ms" && $0.value == "77" })
    #expect(state.settings.first { $0.name == "shards" }?.origin == "flag --shards")
    #expect(state.shardsSilent == 0 && state.shards.map(\.number) == [0, 1, 2])
    #expect(state.shards.allSatisfy { $0.redis.open && $0.redis.warnings.isEmpty })

    let connections = state.shards.flatMap(\.connections)
    let buyers = connections.filter { $0.client.hasPrefix("buyer/") }
    #expect(Set(buyers.map(\.client)).count == 12)
    #expect(buyers.allSatisfy { $0.peer == "127.0.0.1" && $0.callsMade >= 1 })
    #expect(buyers.allSatisfy { $0.bytesIn > 0 && $0.bytesOut > 0 })
    // The call that asks is the only one in flight.
    #expect(connections.filter { $0.callsInFlight == 1 }.map(\.client) == ["buyer/0"])

    let reserves = state.shards.flatMap(\.methods).filter { $0.method == ReserveRequest.method }
    #expect(reserves.reduce(0) { $0 + $1.calls } == 12 && reserves.allSatisfy(\.failures.isEmpty))
    #expect(reserves.filter { $0.calls > 0 }.allSatisfy { $0.p50Ns > 0 && $0.maxNs >= $0.p99Ns })
    let operations = state.shards.reduce(0) { $0 + $1.batch.operations }
    #expect(
      operations >= 13 && state.shards.allSatisfy { $0.batch.scriptNs > 0 || $0.batch.scripts == 0 }
    )

    let few = try await clients[0].call(StateRequest(connectionsMax: 3))
    #expect(few.shards.allSatisfy { $0.connections.count <= 1 && $0.connectionsOpen < 20 })
    for client in clients { await client.close() }
    shop.close()
  }

  @Test("what is kept for a connection is told, and summed up for its shard")
  func held() async throws {
    let shop = try await Shop.open(arguments: ["--connection-bytes-max", "40000000"])
    try await shop.ready()
    let (watcher, asker) = (shop.client(), shop.client())
    var watch = try await watcher.stream(WatchStockRequest(skus: ["x"])).makeAsyncIterator()
    #expect(try await watch.next() != nil)
    // Nothing is on its way to whoever asks.
    _ = try await asker.call(PingRequest())
    let state = try await asker.call(StateRequest())
    #expect(
      state.settings.contains { $0.name == "connection-bytes-max" && $0.value == "40000000" })
    let shard = try #require(state.shards.first { $0.connectionBytes > 0 })
    let streaming = try #require(shard.connections.first { $0.streams == 1 })
    #expect(shard.connectionBytes == streaming.heldBytes && shard.connectionsShed == 0)
    for client in [watcher, asker] { await client.close() }
    shop.close()
  }

  @Test("a failed call is counted under its code, on the shard that had it")
  func failures() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let client = shop.client()
    for _ in 0..<2 {
      _ = await outcome { () throws(Status) in try await client.call(ReserveRequest.of("", sku: ""))
      }
    }
    let state = try await client.call(StateRequest())
    let reserve = try #require(
      state.shards.flatMap(\.methods).first { $0.method == ReserveRequest.method })
    #expect(reserve.calls == 2)
    #expect(reserve.failures == [FailureCount(code: .invalidArgument, count: 2)])
    await client.close()
    shop.close()
  }

  @Test("a shard that does not answer is counted, and the others are named within a second or two")
  func silentShard() async throws {
    let redis = try RedisServer.start()
    let store = Store.Settings(address: try #require(RedisAddress(redis.url)))
    let settings = Shard.Settings(addresses: [Address(host: "127.0.0.1", port: 0)], store: store)
    let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    let shards = (0..<3).map {
      Shard(settings, incarnation: "test", number: $0, logger: logger)
    }
    let address = try #require(try await shards[0].start().addresses.first)
    for shard in shards.dropFirst() { _ = try await shard.start() }
    for shard in shards { await shard.know(shards.filter { $0 !== shard }) }
    let (blocked, gate) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    let blocking = Task { await shards[1].block(blocked, until: gate) }
    #expect(await waited(for: blocked))

    let client = StockClient(to: address)
    let state = try await client.call(StateRequest())
    #expect(state.shardsSilent == 1 && state.shards.map(\.number) == [0, 2])
    gate.signal()
    await blocking.value
    let again = try await client.call(StateRequest())
    #expect(again.shardsSilent == 0 && again.shards.map(\.number) == [0, 1, 2])
    await client.close()
    for shard in shards { await shard.stop(graceMs: 1_000) }
    redis.stop()
  }

  private nonisolated func waited(for semaphore: DispatchSemaphore) async -> Bool {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(returning: semaphore.wait(timeout: .now() + 10) == .success)
      }
    }
  }

  @Test("without Redis, what needs it is not ready, and the rest is; the process lives")
  func healthByService() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let client = shop.client()
    func status(_ service: String) async throws -> ServingStatus? {
      try await client.call(HealthCheckRequest(service: "stock.v1.\(service)")).status
    }
    let selling = ["Reservations", "Stock"]
    let others = ["Diagnostics", "Reflection", "Connection", "Health"]
    for service in selling + others { #expect(try await status(service) == .serving, "\(service)") }
    shop.redis.kill()
    for service in selling {
      try await eventually("\(service) is not ready") { try await status(service) == .notServing }
    }
    for service in others { #expect(try await status(service) == .serving, "\(service)") }
    _ = try await client.call(PingRequest())
    let state = try await client.call(StateRequest())
    #expect(state.shards.allSatisfy { !$0.redis.open && $0.redis.downReason.hasPrefix("redis") })
    #expect(try shop.ctl("health", "--live").status == 0)
    #expect(try shop.ctl("health", "--service", "stock.v1.Stock").status == 7)
    #expect(try shop.ctl("health", "--service", "stock.v1.Reflection").status == 0)
    #expect(try shop.ctl("health", "--service", "stock.v1.Nothing").status == 5)
    #expect(try shop.ctl("health", "--service", "stock.v1.Stock", "--live").status == 64)
    try shop.redis.restart()
    for service in selling {
      try await eventually("\(service) is ready again") {
        try await status(service) == .serving
      }
    }
    await client.close()
    shop.close()
  }

  @Test("stockctl describe: the methods, and the files as they are in the repository")
  func describe() async throws {
    let shop = try await Shop.open()
    let folder = NSTemporaryDirectory() + "contracts-\(UUID().uuidString.prefix(8))"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let said = try shop.ctl("describe", "--out", folder)
    #expect(said.status == 0 && said.stderr.isEmpty)
    #expect(said.stdout.contains("stock.v1.Reservations\n  Reserve(stock.v1.ReserveRequest) → "))
    let proto = URL(filePath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appending(path: "proto/stock/v1")
    let names = try FileManager.default.contentsOfDirectory(atPath: proto.path)
    let workers = ["audit.proto", "dead_letters.proto", "records.proto"]
    #expect(names.count >= 10 && Set(names).isSuperset(of: workers))
    for name in names where !workers.contains(name) {
      #expect(
        FileManager.default.contentsEqual(
          atPath: "\(folder)/stock/v1/\(name)", andPath: proto.appending(path: name).path),
        "\(name)")
    }
    let json = try shop.ctl("describe", "--json").stdout.split(separator: "\n")
    #expect(json.contains { $0.contains(#""method":"stock.v1.Stock/Get""#) })
    shop.close()
  }

  @Test("stockctl state: tables within the width, and one JSON object")
  func printed() async throws {
    let shop = try await Shop.open(arguments: ["--shards", "2"])
    try await shop.ready()
    try await shop.supply(1)
    for width in [60, 80, 140] {
      let session = try TerminalSession(
        "stockctl", ["state", "--address", "\(shop.address)"], columns: UInt16(width))
      let said = try session.end()
      let lines = said.screen.split(separator: "\r\n")
      #expect(said.status == 0 && lines.first?.hasPrefix("stockd \(Release.version), pid") == true)
      #expect(said.screen.contains("Stock/Set"))
      #expect(lines.allSatisfy { $0.count <= width }, "\(said.screen)")
    }
    let piped = try Program.run(
      "stockctl", ["state", "--address", "\(shop.address)"], environment: ["COLUMNS": "60"])
    #expect(piped.stdout.contains("Stock/Set") && !piped.stdout.contains("…"), "nobody looks")
    let json = try shop.ctl("state", "--json").stdout
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    let shards = try #require(object["shards"] as? [[String: Any]])
    #expect(shards.count == 2 && shards.allSatisfy { $0["connections_open"] != nil })
    let batches = shards.compactMap { $0["batch"] as? [String: Any] }
    #expect(batches.allSatisfy { $0["script_ns"] != nil && $0["in_flight"] != nil })
    let methods = try #require(shards[0]["methods"] as? [[String: Any]])
    #expect(methods.allSatisfy { $0["p99_ns"] != nil && $0["failures"] != nil })
    shop.close()
  }
}

extension Shard {
  /// Keeps the shard's queue busy.
  fileprivate func block(_ blocked: DispatchSemaphore, until gate: DispatchSemaphore) {
    blocked.signal()
    gate.wait()
  }
}
