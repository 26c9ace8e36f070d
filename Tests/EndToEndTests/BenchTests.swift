import Foundation
import Harness
import Testing
import Wire

@testable import stockctl

/// The load generator: that it loads as it says, and counts what it should.
@Suite("stockctl bench")
struct BenchTests {
  private func json(_ outcome: Program.Outcome) throws -> [String: Any] {
    #expect(outcome.status == 0, "\(outcome.stderr)")
    let line = try #require(outcome.stdout.split(separator: "\n").first)
    return try #require(
      try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
  }

  @Test("arrivals are as many as asked for, each apart from the next as chance has it")
  func poisson() {
    var numbers = SeededNumbers(seed: 7)
    var arrivals = Arrivals(perSecond: 10_000, from: 0, &numbers)
    var (times, last) = ([Double](), UInt64(0))
    for _ in 0..<100_000 {
      times.append(Double(arrivals.next - last))
      last = arrivals.next
      arrivals.advance(&numbers)
    }
    let mean = times.reduce(0, +) / Double(times.count)
    #expect(abs(mean - 100_000) < 1_500, "the mean, in ns, is \(mean)")
    // Of an exponential distribution the deviation is the mean, and 1/e of all is longer.
    let deviation = (times.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / 100_000).squareRoot()
    #expect(abs(deviation / mean - 1) < 0.03)
    #expect(abs(Double(times.count { $0 > mean }) / 100_000 - 0.3679) < 0.01)
  }

  @Test("Zipf: the n-th is asked for as often as 1/n")
  func zipf() {
    let zipf = Zipf(count: 100, exponent: 1)
    var (numbers, counts) = (SeededNumbers(seed: 3), [Int](repeating: 0, count: 100))
    for _ in 0..<200_000 { counts[zipf.place(at: numbers.share())] += 1 }
    #expect(abs(Double(counts[0]) / Double(counts[1]) - 2) < 0.1)
    #expect(abs(Double(counts[0]) / Double(counts[9]) - 10) < 1)
    #expect(counts.allSatisfy { $0 > 0 } && zipf.place(at: 0) == 0)
    #expect(zipf.place(at: 0.999_999_999) == 99 && Zipf(count: 1, exponent: 5).place(at: 0.5) == 0)
  }

  @Test("open loop: as many calls as asked for, and a stall is seen by all who came meanwhile")
  func openLoop() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let bench = try Program.start(
      "stockctl",
      [
        "bench", "--rate", "500", "--seconds", "3", "--connections", "4", "--json", "--address",
        "\(shop.address)",
      ])
    defer { bench.stop() }
    try await eventually("it has begun") { try shop.events("HOLD_CREATED") > 200 }
    shop.server.pause()
    // The stall itself: the fault is that it lasts.
    try await Task.sleep(for: .seconds(1))
    shop.server.resume()
    #expect(bench.wait() == 0, "\(bench.log)")
    let result = try #require(
      try JSONSerialization.jsonObject(with: Data(bench.output.utf8)) as? [String: Any])
    let held = result["held"] as? Int ?? 0
    // 1,500 on average; their deviation is 39.
    let overloaded = result["overloaded"] as? Int ?? 0
    #expect((1_250...1_750).contains(held + overloaded), "\(result)")
    // A third came in the second of the stall and waited for half of it on average.
    let p90 = result["p90_ms"] as? Double ?? 0
    #expect(p90 > 300, "a loop that waits for answers would have made no call then: \(result)")
    #expect(result["loop"] as? String == "open" && result["unsent"] as? Int == 0)
    shop.close()
  }

  @Test("scenarios: a Zipf law over many SKUs, whole lives, a storm of expiries")
  func scenarios() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let zipf = try json(
      try shop.ctl(
        "bench", "--scenario", "zipf", "--skus", "50", "--sku", "z", "--seconds", "0.5",
        "--connections", "4", "--json"))
    #expect(zipf["held"] as? Int ?? 0 > 50 && zipf["skus"] as? Int == 50)
    let most = try await shop.stock("z-1").figures.held
    #expect(most > (try await shop.stock("z-40").figures.held))

    let life = try json(
      try shop.ctl(
        "bench", "--scenario", "life", "--sku", "l", "--seconds", "0.5", "--connections", "4",
        "--confirm-share", "0.75", "--json"))
    let (confirmed, cancelled) = (life["confirmed"] as? Int ?? 0, life["cancelled"] as? Int ?? 0)
    #expect(confirmed > cancelled && cancelled > 0)
    #expect(confirmed + cancelled == life["held"] as? Int)
    #expect(try await shop.stock("l").figures.sold == UInt64(confirmed))
    #expect(life["life_p50_ms"] as? Double ?? 0 > life["ending_p50_ms"] as? Double ?? 0)

    let storm = try json(
      try shop.ctl(
        "bench", "--scenario", "storm", "--seconds", "0.5", "--connections", "4", "--json"))
    #expect(storm["expired"] as? Int == storm["held"] as? Int)
    #expect((storm["back_after_ms"] as? Int).map { $0 < 5_000 } == true, "\(storm)")
    shop.close()
  }

  @Test("sold out is counted apart; saved, compared, and drawn within the terminal")
  func report() async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let file = "/tmp/bench-\(UUID().uuidString).json"
    defer { try? FileManager.default.removeItem(atPath: file) }
    let arguments = [
      "bench", "--seconds", "1.5", "--connections", "4", "--stock", "200", "--save", file,
      "--address", "\(shop.address)",
    ]
    for columns in [80, 140] as [UInt16] {
      let session = try TerminalSession(
        "stockctl", arguments + (columns == 140 ? ["--compare", file] : []), columns: columns)
      let (status, screen) = try session.end()
      #expect(status == 0, "\(screen)")
      let lines = screen.replacing("\u{1B}[K", with: "").split(whereSeparator: \.isNewline)
      #expect(lines.allSatisfy { $0.count <= columns }, "\(screen)")
      #expect(screen.contains("bench  [") && screen.contains("reserved, by the time it took"))
      #expect(screen.contains("###") && screen.contains("sold out"))
      #expect(screen.contains("change percent") == (columns == 140))
    }
    let saved = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: file)))
        as? [String: Any])
    #expect(saved["held"] as? Int == 200 && saved["rejected_p50_ms"] is Double)
    let ranges = try #require(saved["histogram_us"] as? [[Int]])
    #expect(ranges.map { $0[1] }.reduce(0, +) == 200)
    let wrong = try shop.ctl("bench", "--compare", "/etc/hostname")
    #expect(wrong.status == 64 && wrong.stderr.contains("is not what bench --json writes"))
    shop.close()
  }

  @Test(
    "interrupted: shows what there was, in an open loop and in a closed one",
    arguments: [[], ["--rate", "200"]])
  func interrupted(loop: [String]) async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let session = try TerminalSession(
      "stockctl",
      ["bench", "--seconds", "60", "--connections", "4", "--address", "\(shop.address)"] + loop)
    try await session.wait(for: "bench  [")
    session.interrupt()
    let (status, screen) = try session.end()
    #expect(status == 130 && screen.contains("interrupted: this is a part"), "\(screen)")
    #expect(screen.contains("reserves/s") && screen.contains("#"))
    shop.close()
  }

  @Test(
    "a server that goes ends the run, which says so, in a closed loop and in an open one",
    arguments: [[], ["--rate", "500"]])
  func serverGoes(loop: [String]) async throws {
    let shop = try await Shop.open()
    try await shop.ready()
    let bench = try Program.start(
      "stockctl",
      [
        "bench", "--seconds", "60", "--connections", "4", "--json", "--address", "\(shop.address)",
      ] + loop)
    defer { bench.stop() }
    try await eventually("it has begun") { try shop.events("HOLD_CREATED") > 200 }
    #expect(try shop.server.terminate() == 0)
    #expect(bench.wait() == 1, "\(bench.log)")
    // A call that was on its way is refused, and is the first failure then.
    let said = ["the server went away", "SHUTTING_DOWN"].contains { bench.output.contains($0) }
    #expect(said, "\(bench.output)")
    shop.close()
  }

  @Test("another machine is loaded only by who says so")
  func elsewhere() throws {
    let run = try Program.run("stockctl", ["bench", "--address", "192.0.2.1:7420"])
    #expect(run.status == 64 && run.stderr.contains("is not on this machine"))
    for wrong in [
      ["--rate", "0"], ["--rate", "-5"], ["--skus", "0"], ["--confirm-share", "2"],
      ["--scenario", "calm"], ["--scenario", "life", "--batch", "2"], ["--zipf-exponent", "11"],
    ] {
      #expect(try Program.run("stockctl", ["bench"] + wrong).status == 64, "\(wrong)")
    }
  }
}
