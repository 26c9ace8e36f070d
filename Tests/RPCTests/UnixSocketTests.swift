import Glibc
import Foundation
import Harness
import Testing
import Wire

@testable import RPC

/// Listening in the file system.
@Suite("Unix sockets")
struct UnixSocketTests {
  private func path() -> String {
    NSTemporaryDirectory() + "stock-\(UUID().uuidString.prefix(8)).sock"
  }

  private func mode(of path: String) throws -> Int {
    try #require(
      try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
  }

  @Test("TCP and a Unix socket at once, with the mode that was asked for")
  func both() async throws {
    let path = path()
    let lane = try ServerLane()
    let port = try await lane.start(on: [
      Address(host: "127.0.0.1", port: 0), .unix(path: path),
    ])
    #expect(try mode(of: path) == 0o600)
    for address in [Address.unix(path: path), Address(host: "127.0.0.1", port: port)] {
      let client = StockClient(to: address)
      #expect(try await client.call(HealthCheckRequest()).status == .serving)
      await client.close()
    }
    await lane.drain()
    #expect(!FileManager.default.fileExists(atPath: path), "the path is taken away")
    await lane.stop()
  }

  @Test("a socket that a dead server left behind is replaced; a live one and a file are not")
  func stale() async throws {
    let path = path()
    let first = try ServerLane()
    _ = try await first.start(on: [.unix(path: path)])
    let second = try ServerLane()
    await #expect(throws: (any Error).self, "somebody answers there") {
      try await second.start(on: [.unix(path: path)])
    }
    // Closed without being taken away, as after a kill -9.
    await first.stop()
    let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        #expect(bind(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0)
      }
    }
    close(fd)
    _ = try await second.start(on: [.unix(path: path)])
    let client = StockClient(to: .unix(path: path))
    #expect(try await client.call(HealthCheckRequest()).status == .serving)
    await client.close()
    await second.drain()

    try "precious".write(toFile: path, atomically: true, encoding: .utf8)
    let third = try ServerLane()
    await #expect(throws: (any Error).self) { try await third.start(on: [.unix(path: path)]) }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
    try FileManager.default.removeItem(atPath: path)
    for lane in [second, third] { await lane.stop() }
  }

  @Test(
    "what is an address",
    arguments: [
      ("127.0.0.1:7420", true), ("[::1]:7420", true), ("unix:/run/x.sock", true),
      ("unix:x.sock", false), ("unix:/" + String(repeating: "x", count: 107), false),
      ("127.0.0.1", false), (":1", false), ("host:70000", false),
    ])
  func addresses(text: String, valid: Bool) {
    #expect((Address(text) != nil) == valid)
  }
}
