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

  private func owner(of path: String) throws -> [Int] {
    let found = try FileManager.default.attributesOfItem(atPath: path)
    return try [FileAttributeKey.ownerAccountID, .groupOwnerAccountID].map {
      try #require(found[$0] as? Int)
    }
  }

  @Test(
    "the owner that was asked for: a number, a name, a group alone", .enabled(if: geteuid() == 0))
  func owner() async throws {
    let nobody = try #require(getpwnam("nobody")).pointee
    let path = path()
    for (text, expected) in [
      ("4711:4712", [4711, 4712]), (":4712", [0, 4712]),
      ("nobody", [Int(nobody.pw_uid), Int(getegid())]),
    ] {
      let lane = try ServerLane()
      _ = try await lane.start(
        on: [.unix(path: path)], owner: SocketOwner(text))
      #expect(try owner(of: path) == expected, "\(text)")
      #expect(try mode(of: path) == 0o600)
      await lane.drain()
      await lane.stop()
    }
  }

  @Test(
    "who can be an owner",
    arguments: [
      ("root", true), ("root:root", true), (":root", true), ("0", true), ("0:0", true),
      (":0", true), ("nobody-has-this-name", false), ("root:nobody-has-this-name", false),
      ("", false), (":", false), ("root:", false), ("-1", false), ("4294967295", false),
      ("root:root:root", false), ("root ", false),
    ])
  func owners(text: String, valid: Bool) {
    #expect((SocketOwner(text) != nil) == valid)
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
