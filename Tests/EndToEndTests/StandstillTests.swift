import Foundation
import Harness
import RPC
import Testing
import Wire

/// Calls whose callers have gone, or whose time was over, before a server came to read them.
@Suite("A server that stood still")
struct StandstillTests {
  @Test("what callers sent who have closed is not begun", arguments: [true, false])
  func closed(connectedBefore: Bool) async throws {
    let shop = try await Shop.open()
    try await shop.supply(1_000)
    var callers = connectedBefore ? try (0..<150).map { _ in try Caller(shop.address) } : []
    try await haveCome(callers.count, shop)
    try await stop(shop.server)
    if !connectedBefore { callers = try (0..<150).map { _ in try Caller(shop.address) } }
    for (number, caller) in callers.enumerated() {
      // Time enough: it is the end that counts.
      caller.reserve("k\(number)", timeoutMs: 60_000)
      caller.close()
    }
    shop.server.resume()
    try await haveLeft(150, shop)
    #expect(try shop.redis.cli("KEYS", "hold:*") == "")
    #expect(try await shop.stock().figures.available == 1_000)
    shop.close()
  }

  @Test("a call whose time was over is not made, and its caller is told", arguments: [true, false])
  func overdue(connectedBefore: Bool) async throws {
    let shop = try await Shop.open()
    try await shop.supply(1_000)
    var callers = connectedBefore ? try (0..<150).map { _ in try Caller(shop.address) } : []
    try await haveCome(callers.count, shop)
    try await stop(shop.server)
    if !connectedBefore { callers = try (0..<150).map { _ in try Caller(shop.address) } }
    for (number, caller) in callers.enumerated() { caller.reserve("k\(number)", timeoutMs: 1_000) }
    let sent = ContinuousClock.now
    // A timer of the server may have been as far away as it stood still before its calls came.
    try await eventually("their time is over") { ContinuousClock.now > sent + .seconds(2) }
    shop.server.resume()
    for caller in callers { #expect(try caller.reply()?.reason == "DEADLINE") }
    #expect(try shop.redis.cli("KEYS", "hold:*") == "")
    callers[0].reserve("again", timeoutMs: 1_000)
    #expect(try callers[0].reply() == nil, "and then it sells as before")
    #expect(try await shop.stock().figures.available == 999)
    shop.close()
  }

  @Test("more than a server reads at once is as old as what it reads first")
  func muchOverdue() async throws {
    let shop = try await Shop.open()
    try await shop.supply(10_000)
    let caller = try Caller(shop.address)
    try await haveCome(1, shop)
    try await stop(shop.server)
    // Some 60 bytes each: several reads.
    for number in 0..<1_000 { caller.reserve("k\(number)", timeoutMs: 1_000) }
    let sent = ContinuousClock.now
    try await eventually("their time is over") { ContinuousClock.now > sent + .seconds(2) }
    shop.server.resume()
    for _ in 0..<1_000 { #expect(try caller.reply()?.reason == "DEADLINE") }
    #expect(try await shop.stock().figures.available == 10_000)
    shop.close()
  }

  @Test("a call and the end of its connection that arrive as one: never made")
  func callAndEndAtOnce() async throws {
    let shop = try await Shop.open()
    try await shop.supply(100)
    try await haveCome(0, shop)
    for number in 0..<100 {
      let caller = try Caller(shop.address)
      caller.reserve("k\(number)", timeoutMs: 1_000, isLast: true)
      caller.close()
    }
    try await haveLeft(100, shop)
    #expect(try shop.redis.cli("KEYS", "hold:*") == "")
    #expect(try await shop.stock().figures.available == 100)
    shop.close()
  }

  private func stop(_ server: Program) async throws {
    server.pause()
    let stat = "/proc/\(server.pid)/stat"
    try await eventually("the server stands still") {
      try String(contentsOfFile: stat, encoding: .utf8).contains(") T ")
    }
  }

  /// Waits until the server has accepted so many callers, beside this one.
  private func haveCome(_ callers: Int, _ shop: Shop) async throws {
    let client = shop.client()
    try await eventually("the callers have come") {
      let open = try await client.call(StateRequest()).shards.map(\.connectionsOpen)
      return open.reduce(0, +) == UInt64(callers) + 1
    }
    await client.close()
  }

  /// Waits until the server has seen so many callers come and go.
  private func haveLeft(_ callers: UInt64, _ shop: Shop) async throws {
    let client = shop.client()
    try await eventually("the callers have left") {
      let shards = try await client.call(StateRequest()).shards
      let (made, open) = (shards.map(\.connectionsMade), shards.map(\.connectionsOpen))
      // Beside them, those that have set the stock and counted, and this one.
      return made.reduce(0, +) == callers + 3 && open.reduce(0, +) == 1
    }
    await client.close()
  }
}

/// A socket that says what no client library would say.
private final class Caller {
  private var fd: Int32

  init(_ address: Address) throws {
    guard case .tcp(_, let port) = address else { throw HarnessError("\(address) is not TCP") }
    fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var limit = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var there = sockaddr_in()
    there.sin_family = sa_family_t(AF_INET)
    there.sin_port = port.bigEndian
    there.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let connected = withUnsafePointer(to: &there) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(fd, $0, size) }
    }
    guard connected == 0 else { throw HarnessError("nobody listens on \(address)") }
  }

  deinit { close() }

  /// - Parameter isLast: the kernel keeps it until it can go together with the connection's end.
  func reserve(_ key: String, timeoutMs: UInt32, isLast: Bool = false) {
    let arena = Arena()
    var message = ByteBuffer()
    var wire = ByteBuffer()
    ReserveRequest.of(key).encode(into: &message, arena: arena)
    RequestEnvelope.append(
      callID: UInt64.random(in: 1...UInt64.max), method: ReserveRequest.method,
      timeoutMs: timeoutMs, message: message, to: &wire, arena: arena)
    let flags = Int32(MSG_NOSIGNAL) | Int32(isLast ? MSG_MORE : 0)
    #expect(send(fd, wire.readable.baseAddress, wire.count, flags) == wire.count)
  }

  /// Why the next call to be answered has failed; nil: it has not.
  func reply() throws -> Status? {
    let length = try read(4).reduce(0) { $0 << 8 | Int($1) }
    return try read(length).withUnsafeBytes { payload in
      if case .failure(let status) = try ResponseEnvelope(payload, arena: Arena()).result {
        return status
      }
      return nil
    }
  }

  func close() {
    if fd >= 0 { Foundation.close(fd) }
    fd = -1
  }

  private func read(_ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    guard recv(fd, &bytes, count, Int32(MSG_WAITALL)) == count else {
      throw HarnessError("the server says nothing more")
    }
    return bytes
  }
}
