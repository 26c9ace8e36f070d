import Foundation
import Harness
import Testing

/// Shops that a person has given names.
@Suite("stockctl context")
struct ContextTests {
  /// A folder for configuration of a test's own.
  private final class Home {
    let path: String
    init() throws {
      path = "/tmp/stockctl-\(UUID().uuidString)"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    var file: String { "\(path)/stockstream/contexts.json" }

    func ctl(_ arguments: String..., environment: [String: String] = [:]) throws -> Program.Outcome
    {
      try Program.run(
        "stockctl", arguments,
        environment: ["XDG_CONFIG_HOME": path].merging(environment) { _, new in new })
    }

    /// What is in force: setting → value and where it comes from.
    func inForce(_ environment: [String: String] = [:]) throws -> [String: [String]] {
      let said = try ctl("context", "show", "--json", environment: environment)
      #expect(said.status == 0, "\(said.stderr)")
      var all: [String: [String]] = [:]
      for line in said.stdout.split(separator: "\n") {
        let row = try #require(
          try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
        all[row["setting"] ?? ""] = [row["value"] ?? "", row["from"] ?? ""]
      }
      return all
    }
  }

  @Test("added, used, listed, shown, replaced, removed; kept for the owner alone")
  func life() throws {
    let home = try Home()
    #expect(try home.ctl("context", "list").stdout.isEmpty)
    let add = try home.ctl(
      "context", "add", "berlin", "--address", "10.0.0.1:7420", "--timeout-ms", "900")
    #expect(add.status == 0, "\(add.stderr)")
    #expect(
      try home.ctl(
        "context", "add", "oslo", "--address", "unix:/run/s.sock", "--worker-address", "h:1",
        "--use"
      ).status == 0)
    let list = try home.ctl("context", "list", "--json").stdout.split(separator: "\n")
    #expect(list.count == 2 && list[0].contains(#""current":false,"name":"berlin""#), "\(list)")
    #expect(list[1].contains(#""current":true,"name":"oslo""#))
    #expect(try home.ctl("context", "show", "berlin").stdout.contains("10.0.0.1:7420"))

    let status = try FileManager.default.attributesOfItem(atPath: home.file)
    #expect(status[.posixPermissions] as? Int == 0o600)
    let folder = try FileManager.default.attributesOfItem(atPath: "\(home.path)/stockstream")
    #expect(folder[.posixPermissions] as? Int == 0o700)

    let twice = try home.ctl("context", "add", "berlin", "--address", "10.0.0.2:1")
    #expect(twice.status == 64 && twice.stderr.contains("say --replace"))
    #expect(
      try home.ctl("context", "add", "berlin", "--address", "10.0.0.2:1", "--replace").status == 0)
    #expect(try home.ctl("context", "use", "rome").status == 64)
    #expect(try home.ctl("context", "remove", "oslo").status == 0)
    #expect(try home.inForce()["address"] == ["127.0.0.1:7420", "default"], "the used one is gone")
    for wrong in [
      ["add", "a b", "--address", "h:1"], ["add", "x"], ["add", "x", "--address", "nowhere"],
      ["add", "x", "--address", "h:1", "--timeout-ms", "0"], ["use"], ["remove", "nobody"],
    ] {
      let said = try Program.run(
        "stockctl", ["context"] + wrong, environment: ["XDG_CONFIG_HOME": home.path])
      #expect(said.status == 64, "\(wrong)")
    }
    let left = try FileManager.default.contentsOfDirectory(atPath: "\(home.path)/stockstream")
    #expect(Set(left) == ["contexts.json", "contexts.json.lock"], "no new file is left behind")
  }

  @Test("the command line before the environment, before the current context, before the defaults")
  func precedence() throws {
    let home = try Home()
    _ = try home.ctl(
      "context", "add", "far", "--address", "10.0.0.1:1", "--timeout-ms", "700",
      "--worker-address", "10.0.0.1:2")
    _ = try home.ctl("context", "add", "near", "--address", "10.0.0.3:1")
    #expect(try home.inForce()["timeout_ms"] == ["5000", "default"])
    #expect(try home.inForce()["worker_address"] == ["127.0.0.1:7421", "default"])

    _ = try home.ctl("context", "use", "far")
    #expect(try home.inForce()["context"] == ["far", "context use"])
    #expect(try home.inForce()["address"] == ["10.0.0.1:1", "context far"])
    #expect(try home.inForce()["timeout_ms"] == ["700", "context far"])
    #expect(try home.inForce()["worker_timeout_ms"] == ["60000", "default"])
    #expect(
      try home.inForce(["STOCK_TIMEOUT_MS": "800"])["timeout_ms"] == ["800", "STOCK_TIMEOUT_MS"])
    let named = try home.inForce(["STOCK_CONTEXT": "near"])
    #expect(named["address"] == ["10.0.0.3:1", "context near"])
    #expect(named["worker_address"]?[1].contains("names no worker") == true, "not this machine's")
    let said = try home.ctl("context", "use", "far", environment: ["STOCK_ADDRESS": "10.0.0.4:1"])
    #expect(said.status == 0)
    #expect(said.stderr.contains("unset STOCK_ADDRESS, or say --context far"), "\(said)")
    let elsewhere = try home.inForce(["STOCK_ADDRESS": "10.0.0.4:1"])
    #expect(elsewhere["address"] == ["10.0.0.4:1", "STOCK_ADDRESS"])
    #expect(elsewhere["timeout_ms"] == ["5000", "default"], "the context's go with its address")

    let shut = "127.0.0.1:\(freePort())"
    let other = "127.0.0.1:\(freePort())"
    _ = try home.ctl("context", "add", "shut", "--address", shut)
    let byName = try home.ctl(
      "health", "--context", "shut", environment: ["STOCK_ADDRESS": "10.0.0.4:1"])
    #expect(byName.status == 7, "\(byName.stderr)")
    #expect(try home.ctl("health", "--context", "shut", "--address", other).status == 7)
    let unknown = try home.ctl("health", "--context", "nobody")
    #expect(unknown.status == 64 && unknown.stderr.contains("known: far, near, shut"))
    let worker = try home.ctl("dead", "list", "--context", "near")
    #expect(worker.status == 64 && worker.stderr.contains("names no worker"))
  }

  @Test("a file that others can read, or that nobody understands, is refused with one sentence")
  func refused() throws {
    let home = try Home()
    _ = try home.ctl("context", "add", "a", "--address", "h:1", "--use")
    let before = try Data(contentsOf: URL(filePath: home.file))
    for mode in [0o640, 0o604, 0o666] {
      try FileManager.default.setAttributes(
        [.posixPermissions: mode], ofItemAtPath: home.file)
      for said in [
        try home.ctl("health"), try home.ctl("context", "add", "b", "--address", "h:2"),
      ] {
        #expect(said.status == 64 && said.stderr.contains("chmod 600 \(home.file)"))
      }
    }
    #expect(
      try home.ctl("health", "--address", "127.0.0.1:\(freePort())").status == 7,
      "who names an address needs no context")
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: home.file)
    #expect(try Data(contentsOf: URL(filePath: home.file)) == before)
    for text in ["", "{", #"{"contexts":{"a b":{"address":"h:1"}}}"#, #"{"contexts":{"a":{}}}"#] {
      try Data(text.utf8).write(to: URL(filePath: home.file))
      let said = try home.ctl("context", "list")
      #expect(said.status == 64 && said.stderr.contains(home.file), "\(text)")
    }
  }

  @Test("many at once lose nothing, and what is a link stays one")
  func together() throws {
    let home = try Home()
    _ = try home.ctl("context", "add", "first", "--address", "h:1")
    let real = "\(home.path)/real.json"
    try FileManager.default.moveItem(atPath: home.file, toPath: real)
    try FileManager.default.createSymbolicLink(atPath: home.file, withDestinationPath: real)
    let adding = try (0..<8).map { number in
      try Program.start(
        "stockctl", ["context", "add", "c\(number)", "--address", "h:\(number + 1)"],
        environment: ["XDG_CONFIG_HOME": home.path])
    }
    for program in adding { #expect(program.wait() == 0, "\(program.log)") }
    #expect(try home.ctl("context", "list", "--json").stdout.split(separator: "\n").count == 9)
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: home.file) == real)
  }

  @Test("names complete in bash")
  func completion() throws {
    let home = try Home()
    for name in ["berlin", "bern", "oslo"] {
      _ = try home.ctl("context", "add", name, "--address", "h:1")
    }
    let folder = try String(Program.executable(named: "stockctl").dropLast("/stockctl".count))
    let script = """
      PATH='\(folder)':$PATH
      source <(stockctl --generate-completion-script bash)
      COMP_WORDS=(stockctl health --context ber) COMP_CWORD=3
      COMP_LINE='stockctl health --context ber' COMP_POINT=29 COMP_TYPE=9
      _stockctl stockctl ber --context
      printf '%s\n' "${COMPREPLY[@]}"
      """
    let said = try Program.run(
      "bash", ["-c", script], environment: ["XDG_CONFIG_HOME": home.path])
    #expect(said.stdout.split(separator: "\n") == ["berlin", "bern"], "\(said)")
  }
}
