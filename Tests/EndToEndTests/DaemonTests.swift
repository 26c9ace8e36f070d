import Foundation
import Glibc
import Harness
import Testing

/// The daemons' command lines and settings, as an administrator meets them.
@Suite("The daemons' settings")
struct DaemonTests {
  @Test("each program says its version, and all the same")
  func version() throws {
    let said = try ["stockd", "stockworker", "stockctl"].map { name in
      let outcome = try Program.run(name, ["--version"])
      #expect(outcome.status == 0, "\(name): \(outcome.stderr)")
      return outcome.stdout
    }
    #expect(try #require(said.first).contains(/^[0-9]+\.[0-9]+\.[0-9]+\n$/))
    #expect(Set(said).count == 1)
  }

  @Test("an owner whom nobody knows is refused, and the line is named")
  func unknownOwner() throws {
    let file = NSTemporaryDirectory() + "stockd-\(UUID().uuidString.prefix(8)).conf"
    try "# who may connect\nsocket-owner: :nobody-has-this-name\n"
      .write(toFile: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: file) }
    let outcome = try Program.run("stockd", ["--config", file, "--check-config"])
    #expect(outcome.status == 64)
    #expect(outcome.stderr.contains("\(file):2: socket-owner must be user, user:group or :group"))
  }

  @Test("an owner that is known stands in the report")
  func knownOwner() throws {
    let outcome = try Program.run(
      "stockd", ["--check-config"], environment: ["STOCK_SOCKET_OWNER": "root:0"])
    #expect(outcome.status == 0)
    #expect(
      outcome.stdout.contains(/socket-owner: +root:0 +# environment STOCK_SOCKET_OWNER/))
  }

  @Test("an owner that the server may not give its socket to: it says so and leaves no socket")
  func notPermitted() throws {
    let path = NSTemporaryDirectory() + "stockd-\(UUID().uuidString.prefix(8)).sock"
    let stockd = try Program.executable(named: "stockd")
    // Root may give files away, unless it has lost that one power.
    let (command, before) =
      geteuid() == 0 ? ("setpriv", ["--bounding-set=-chown", stockd]) : (stockd, [])
    let outcome = try Program.run(
      command, before + ["--listen", "unix:\(path)", "--socket-owner", "4711:4712"])
    #expect(outcome.status == 1)
    #expect(
      outcome.stderr.contains(
        "give \(path) to socket-owner 4711:4712: Operation not permitted"))
    #expect(!FileManager.default.fileExists(atPath: path))
  }
}
