import Histogram

/// A run as a person reads it.
struct BenchReport {
  let plan: BenchPlan
  let address: String
  let result: BenchResult

  private static let barsMax = 24

  func lines(width: Int?) -> [String] {
    let loop =
      plan.rate.map { "open loop, \(Int($0).grouped) calls/s" }
      ?? "closed loop, \(plan.connections) connections × \(plan.outstanding)"
    let batch = plan.batch > 0 ? ", \(plan.batch) reserves a call" : ""
    var lines = [
      Terminal.output.paint("\(plan.scenario.rawValue): \(loop)\(batch), \(address)", .bold), "",
    ]
    lines += counts.lines(width: width) + [""]
    lines += times.lines(width: width)
    if result.lateness.count > 0 {
      lines.append("")
      lines.append(
        "calls left at most \(Self.decimals(result.lateness.maxMs)) ms late, 99 % within "
          + "\(Self.decimals(result.lateness.ms(at: 99))) ms; \(result.unsent.grouped) never left")
    }
    if result.expired > 0 {
      lines.append("")
      let back = result.backAfterMs.map { "all back \($0) ms after their deadline" }
      lines.append("\(result.expired.counted("hold")) expired; \(back ?? "not all came back")")
    }
    if let failure = result.firstFailure { lines += ["", "first failure: \(failure.onOneLine)"] }
    return lines + bars(width: width ?? 80)
  }

  private var counts: Table {
    var names = ["reserves/s", "held", "sold out", "overloaded", "less durable", "failures"]
    var values = [
      Int(result.elapsed > 0 ? Double(result.held) / result.elapsed : 0), result.held,
      result.soldOut, result.overloaded, result.lessDurable, result.failures,
    ]
    if plan.scenario == .life {
      names += ["confirmed", "cancelled"]
      values += [result.confirmed, result.cancelled]
    }
    var table = Table(names, numeric: Set(names.indices))
    table.add(values.map(\.grouped))
    return table
  }

  private var times: Table {
    var table = Table(
      ["ms", "p50", "p90", "p99", "p99.9", "max", "calls"], numeric: [1, 2, 3, 4, 5, 6])
    for (name, latencies) in [
      ("reserved", result.reserving), ("sold out", result.rejecting), ("ended", result.ending),
      ("whole life", result.living), ("looked", result.looking),
    ] where latencies.count > 0 {
      table.add(
        [name] + [50, 90, 99, 99.9].map { Self.decimals(latencies.ms(at: $0)) }
          + [Self.decimals(latencies.maxMs), latencies.count.grouped])
    }
    return table
  }

  /// The reserves by how long they took, a bar for each range that is not empty at its ends.
  private func bars(width: Int) -> [String] {
    var ranges = result.reserving.ranges
    // The long tail is one range.
    while ranges.count > Self.barsMax {
      let last = ranges.removeLast()
      ranges[ranges.count - 1] = [last[0], ranges[ranges.count - 1][1] + last[1]]
    }
    guard let most = ranges.map({ $0[1] }).max(), most > 0 else { return [] }
    let labels = ranges.map { "≤ " + Self.decimals(Double($0[0]) / 1_000) + " ms" }
    let counts = ranges.map { $0[1].grouped }
    let (label, count) = (
      labels.map(\.count).max() ?? 0, counts.map(\.count).max() ?? 0
    )
    let room = max(min(width - 1, 120) - label - count - 4, 8)
    return ["", Terminal.output.paint("reserved, by the time it took", .bold)]
      + ranges.indices.map { place in
        // Something is never drawn as nothing.
        let share = Double(ranges[place][1]) / Double(most) * Double(room)
        let bar = ranges[place][1] == 0 ? 0 : max(Int(share.rounded()), 1)
        return String(repeating: " ", count: label - labels[place].count) + labels[place] + "  "
          + String(repeating: " ", count: count - counts[place].count) + counts[place] + "  "
          + String(repeating: "#", count: bar)
      }
  }

  static func decimals(_ ms: Double) -> String {
    let micros = Int((ms * 1_000).rounded())
    let rest = String(micros % 1_000)
    return "\((micros / 1_000).grouped)." + String(repeating: "0", count: 3 - rest.count) + rest
  }
}
