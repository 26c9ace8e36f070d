import ArgumentParser
import FoundationEssentials

/// An earlier run's figures beside this one's.
struct BenchComparison {
  private struct Earlier: Decodable {
    var figures: [String: Double] = [:]
    var scenario = ""

    private struct Name: CodingKey {
      let stringValue: String
      var intValue: Int? { nil }
      init?(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
      let object = try decoder.container(keyedBy: Name.self)
      for name in object.allKeys {
        if let figure = try? object.decode(Double.self, forKey: name) {
          figures[name.stringValue] = figure
        } else if name.stringValue == "scenario" {
          scenario = try object.decode(String.self, forKey: name)
        }
      }
    }
  }

  /// Names of figures that are compared, where both runs have them.
  private static let names =
    ["reserves_per_second", "held", "sold_out", "overloaded", "failures", "back_after_ms"]
    + ["", "rejected_", "ending_", "life_", "look_"].flatMap { prefix in
      ["p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"].map { prefix + $0 }
    }

  private let earlier: Earlier

  /// - Parameter path: a file with what `bench --json` or `--save` has written; of several lines the last.
  /// - Throws: `ValidationError`
  init(path: String) throws {
    guard let bytes = try? Data(contentsOf: URL(filePath: path)) else {
      throw ValidationError("--compare: \(path) cannot be read")
    }
    guard let line = bytes.split(separator: UInt8(ascii: "\n")).last,
      let earlier = try? JSONDecoder().decode(Earlier.self, from: Data(line)),
      earlier.figures["reserves_per_second"] != nil
    else { throw ValidationError("--compare: \(path) is not what bench --json writes") }
    self.earlier = earlier
  }

  /// - Returns: a row for each figure: then, now, and the change in percent.
  func rows(_ now: Output.Fields) -> [Output.Fields] {
    Self.names.compactMap { name in
      guard let before = earlier.figures[name],
        let value = now.first(where: { $0.name == name })?.value
      else { return nil }
      let after: Double
      switch value {
      case .number(let number): after = Double(number)
      case .real(let real): after = real
      default: return nil
      }
      let change = before == 0 ? nil : ((after - before) / before * 1_000).rounded() / 10
      return [
        ("figure", .text(name)), ("then", .real(before)), ("now", .real(after)),
        ("change_percent", change.map { .real($0) } ?? .none),
      ]
    }
  }

  /// Why the runs should not be compared; nil: they are alike.
  func warning(_ plan: BenchPlan) -> String? {
    earlier.scenario == plan.scenario.rawValue || earlier.scenario.isEmpty
      ? nil : "the earlier run was of another scenario: \(earlier.scenario)"
  }
}
