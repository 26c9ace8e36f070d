import Foundation
import Harness
import RPC
import Testing
import Wire

/// What a worker says of itself while it runs.
@Suite("The worker's own calls")
struct WorkerServerTests {
  @Test("ready while both stores answer; the process lives whatever they do")
  func health() async throws {
    let office = try await Office.open(ownPostgres: true)
    defer { office.close(ownPostgres: true) }
    try await eventually("it is ready") { try office.ctl("health").status == 0 }
    office.postgres.kill()
    try await eventually("PostgreSQL is missed") {
      let said = try office.ctl("health")
      return said.status == 7 && said.stdout.contains("NOT_SERVING")
        && said.stdout.contains("postgresql: ")
    }
    #expect(try office.ctl("health", "--live").status == 0)
    #expect(try office.ctl("health", "--service", "stock.v1.Diagnostics").status == 0)
    #expect(try office.ctl("health", "--service", "stock.v1.Reservations").status == 5)
    try office.postgres.restart()
    try await eventually("it is ready again") { try office.ctl("health").status == 0 }
    office.redis.kill()
    try await eventually("Redis is missed") {
      let said = try office.ctl("health")
      return said.status == 7 && said.stdout.contains("redis: ")
    }
  }

  @Test("a store that stopped without closing its sockets is missed too, and nobody waits for it")
  func silentStore() async throws {
    let office = try await Office.open()
    defer { office.close() }
    try await eventually("it is ready") { try office.ctl("health").status == 0 }
    office.redis.pause()
    defer { office.redis.resume() }
    try await eventually("Redis is missed") {
      let said = try office.ctl("health")
      return said.status == 7 && said.stdout.contains("redis: no answer for")
    }
    #expect(try office.ctl("health", "--live", "--timeout-ms", "1000").status == 0)
  }

  @Test("state: the worker, its figures, its settings, and what was called")
  func state() async throws {
    let office = try await Office.open(arguments: ["--lanes", "3"])
    defer { office.close() }
    let client = office.client()
    try await eventually("it has looked at the stream") {
      try await client.call(StateRequest()).worker?.appliedTo.isEmpty == false
    }
    let state = try await client.call(StateRequest())
    let worker = try #require(state.worker)
    #expect(worker.name == "one" && worker.lanes == 3 && worker.ready)
    #expect(worker.lagEntries == 0 && worker.deadLetters == 0 && worker.postgresDown.isEmpty)
    #expect(state.process.program == "stockworker")
    #expect(state.process.pid == UInt32(office.worker.pid))
    #expect(state.settings.first { $0.name == "lanes" }?.origin == "flag --lanes")
    let methods = try #require(state.shards.first?.methods)
    #expect(methods.first { $0.method == StateRequest.method }.map { $0.calls > 0 } == true)
    await client.close()

    let said = try office.ctl("state")
    #expect(said.status == 0 && said.stdout.hasPrefix("stockworker \(Release.version), pid"))
    #expect(said.stdout.contains("one, 3 lanes") && said.stdout.contains("stalled-after"))
    let json = try JSONSerialization.jsonObject(
      with: Data(try office.ctl("state", "--json").stdout.utf8))
    let object = try #require((json as? [String: Any])?["worker"] as? [String: Any])
    #expect(object["name"] as? String == "one" && object["lag_entries"] as? Int == 0)
    let described = try office.ctl("describe").stdout
    #expect(described.contains("stock.v1.DeadLetters\n  List(stock.v1.ListDeadLettersRequest) → "))
    #expect(described.contains("stock.v1.Audit") && !described.contains("Reservations"))
  }

  @Test("an address that another has: one sentence and exit 1; with one of its own it runs")
  func secondWorker() async throws {
    let office = try await Office.open()
    defer { office.close() }
    let second = try Office.startWorker(
      office.redis, office.database, office.address, name: "two")
    defer { second.stop() }
    #expect(second.wait() == 1)
    #expect(
      second.log.contains(
        "cannot listen: another program listens on \(office.address): give a second worker an "
          + "address of its own (--listen)"))

    let path = NSTemporaryDirectory() + "worker-\(UUID().uuidString.prefix(8)).sock"
    let unix = try #require(Address("unix:\(path)"))
    let third = try Office.startWorker(
      office.redis, office.database, unix, name: "three", ["--socket-mode", "600"])
    defer { third.stop() }
    try await third.waitForLog("ready")
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    try await eventually("it is ready") {
      try Program.run("stockctl", ["health", "--address", "\(unix)"]).status == 0
    }
    let fourth = try Office.startWorker(office.redis, office.database, unix, name: "four")
    defer { fourth.stop() }
    #expect(fourth.wait() == 1)
    #expect(fourth.log.contains("another program listens on unix:\(path)"))
    #expect(try third.terminate() == 0)
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test("SIGTERM: who is connected is told, and the worker exits 0")
  func drain() async throws {
    let office = try await Office.open()
    defer { office.close() }
    let client = office.client()
    _ = try await client.call(PingRequest())
    #expect(try office.worker.terminate(timeout: .seconds(5)) == 0)
    #expect(office.worker.log.contains("stopped"))
    await client.close()
  }

  @Test("'none' listens nowhere")
  func nowhere() async throws {
    let outcome = try Program.run("stockworker", ["--check-config", "--listen", "none"])
    #expect(outcome.status == 0 && outcome.stdout.contains(/listen: +none +# flag --listen/))
    #expect(
      try Program.run("stockworker", ["--check-config", "--listen", "here"]).stderr
        .contains("--listen must be host:port or unix:/path, with commas between, or none"))
  }
}
