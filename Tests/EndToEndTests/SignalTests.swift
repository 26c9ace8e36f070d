import Foundation
import Glibc
import Harness
import RPC
import Testing
import Wire

/// What each signal does to a daemon and to stockctl, and what a daemon tells its supervisor.
@Suite("Signals, and the supervisor")
struct SignalTests {
  private static let harmless = [SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE]

  /// Nothing but a line in the log for SIGHUP, and an end in order for SIGQUIT.
  private func expectDecided(_ daemon: Program, isAlive: () throws -> Bool) async throws {
    for signal in Self.harmless { kill(daemon.pid, signal) }
    try await daemon.waitForLog("SIGHUP changes nothing")
    #expect(try isAlive() && daemon.isRunning)
    kill(daemon.pid, SIGQUIT)
    #expect(daemon.wait() == 0)
    #expect(daemon.log.contains("stopped"))
  }

  @Test("a server: SIGHUP and its like change nothing, SIGQUIT ends it in order")
  func server() async throws {
    let shop = try await Shop.open()
    defer { shop.close() }
    try await shop.ready()
    try await expectDecided(shop.server) { try shop.ctl("health").status == 0 }
  }

  @Test("a worker: the same")
  func worker() async throws {
    let office = try await Office.open()
    defer { office.close() }
    try await expectDecided(office.worker) { try office.ctl("health", "--live").status == 0 }
  }

  @Test("stockctl: a closed terminal interrupts what follows, in order; under nohup it does not")
  func hangup() async throws {
    let shop = try await Shop.open()
    defer { shop.close() }
    try await shop.ready()
    try await shop.supply(1)
    let follow = ["events", "tail", "--from-earliest", "--address", "\(shop.address)"]
    let tail = try Program.start("stockctl", follow)
    let kept = try Program.start("nohup", [try Program.executable(named: "stockctl")] + follow)
    defer {
      tail.stop()
      kept.stop()
    }
    try await eventually("both follow") {
      tail.output.contains("STOCK_SET") && kept.output.contains("STOCK_SET")
    }
    for program in [tail, kept] { kill(program.pid, SIGHUP) }
    #expect(tail.wait() == 130)
    #expect(tail.log.contains("go on with --after"))
    try await shop.supply(2)
    try await eventually("it still follows") {
      kept.output.components(separatedBy: "STOCK_SET").count == 3
    }
    #expect(kept.isRunning)
  }

  /// A supervisor: takes what daemons say to NOTIFY_SOCKET.
  private final class Listener: Sendable {
    let path = NSTemporaryDirectory() + "notify-\(UUID().uuidString.prefix(8)).sock"
    private let descriptor: Int32

    init() {
      descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
      let size = socklen_t(MemoryLayout<sockaddr_un>.size)
      withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = bind(descriptor, $0, size) }
      }
    }

    /// What has been said since the last time.
    func take() -> [String] {
      var said: [String] = []
      var bytes = [UInt8](repeating: 0, count: 256)
      while true {
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return said }
        said.append(String(decoding: bytes.prefix(count), as: UTF8.self))
      }
    }

    deinit {
      close(descriptor)
      unlink(path)
    }
  }

  @Test(
    "a daemon tells its watchdog that it works, and no more while it hangs",
    arguments: ["stockd", "stockworker"])
  func watchdog(name: String) async throws {
    let supervisor = Listener()
    let redis = try RedisServer.start()
    let port = freePort()
    let arguments =
      name == "stockd" ? [] : ["--database", try PostgresServer.shared().createDatabase()]
    let daemon = try Program.start(
      name, ["--redis", redis.url, "--listen", "127.0.0.1:\(port)"] + arguments,
      environment: ["NOTIFY_SOCKET": supervisor.path, "WATCHDOG_USEC": "300000"])
    defer {
      daemon.stop()
      redis.stop()
    }
    var heard: [String] = []
    func alive() -> Int {
      heard += supervisor.take()
      return heard.count { $0 == "WATCHDOG=1" }
    }
    try await eventually(timeout: .seconds(30), "it is heard") { alive() >= 3 }
    try await eventually(timeout: .seconds(30), "it is ready") {
      alive() >= 3 && heard.contains("READY=1")
    }
    daemon.pause()
    try await eventually("it stands still") {
      try String(contentsOfFile: "/proc/\(daemon.pid)/stat", encoding: .utf8).contains(") T ")
    }
    let before = alive()
    // Silence has no event to wait for: nine times as long as it had to speak.
    try await Task.sleep(for: .milliseconds(900))
    #expect(alive() == before)
    daemon.resume()
    try await eventually(timeout: .seconds(30), "it is heard again") { alive() >= before + 3 }
  }
}
