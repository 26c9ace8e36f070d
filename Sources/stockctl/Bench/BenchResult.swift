import Histogram

/// How long something took, as a distribution, in nanoseconds.
struct Latencies: Sendable {
  private static let nsMax: UInt64 = 600_000_000_000
  private(set) var histogram = Histogram<UInt64>(
    highestTrackableValue: nsMax, numberOfSignificantValueDigits: .three)

  var count: UInt64 { histogram.totalCount }

  mutating func record(_ ns: UInt64) { histogram.record(min(ns, Self.nsMax)) }

  /// Milliseconds, to the microsecond.
  func ms(at percentile: Double) -> Double {
    count == 0 ? 0 : Self.ms(histogram.valueAtPercentile(percentile))
  }

  var maxMs: Double { count == 0 ? 0 : Self.ms(histogram.maxRecorded) }
  var meanMs: Double { count == 0 ? 0 : Self.ms(UInt64(histogram.mean)) }

  static func ms(_ ns: UInt64) -> Double { Double((ns + 500) / 1_000) / 1_000 }

  /// Counts of ranges that grow by a fifth or so, as [upper end in µs, count], without the empty ends.
  var ranges: [[Int64]] {
    guard count > 0 else { return [] }
    var found = histogram.logarithmicBucketValues(valueUnitsInFirstBucket: 10_000, logBase: 1.25)
      .map { [Int64($0.value / 1_000), Int64($0.countAddedInThisIterationStep)] }
    while found.first?[1] == 0 { found.removeFirst() }
    return found
  }

  func fields(_ prefix: String) -> Output.Fields {
    guard count > 0 else { return [] }
    return [
      ("\(prefix)p50_ms", .real(ms(at: 50))), ("\(prefix)p90_ms", .real(ms(at: 90))),
      ("\(prefix)p99_ms", .real(ms(at: 99))), ("\(prefix)p999_ms", .real(ms(at: 99.9))),
      ("\(prefix)max_ms", .real(maxMs)), ("\(prefix)mean_ms", .real(meanMs)),
    ]
  }
}

/// What a run has counted.
struct BenchResult: Sendable {
  var held = 0
  var soldOut = 0
  /// Told to come back later; in a closed loop repeated then.
  var overloaded = 0
  /// Held, but less durable than was asked for.
  var lessDurable = 0
  var failures = 0
  var confirmed = 0
  var cancelled = 0
  /// Meant to be made, and never made: too many were in flight until the end.
  var unsent = 0
  var elapsed = 0.0
  /// The first failure, to be shown.
  var firstFailure: String?

  /// Of reserves that got their units; of a whole call, where it carries many.
  var reserving = Latencies()
  /// Of those that were told that there are none.
  var rejecting = Latencies()
  /// Of confirms and cancels.
  var ending = Latencies()
  /// From the beginning of a hold to its end.
  var living = Latencies()
  /// Of looking at the SKU while holds expire.
  var looking = Latencies()
  /// How late calls of an open loop left, by this program's own fault.
  var lateness = Latencies()
  /// Holds that expired in the storm.
  var expired: UInt64 = 0
  /// From their deadline until the last unit was back, in milliseconds; nil: not all came back.
  var backAfterMs: UInt64?

  var fields: Output.Fields {
    var fields: Output.Fields = [
      ("reserves_per_second", .number(Int64(elapsed > 0 ? Double(held) / elapsed : 0))),
      ("held", .number(held)), ("sold_out", .number(soldOut)), ("overloaded", .number(overloaded)),
      ("less_durable", .number(lessDurable)), ("failures", .number(failures)),
      ("seconds", .real((elapsed * 100).rounded() / 100)),
    ]
    if confirmed + cancelled > 0 {
      fields += [("confirmed", .number(confirmed)), ("cancelled", .number(cancelled))]
    }
    fields += reserving.fields("") + rejecting.fields("rejected_") + ending.fields("ending_")
    fields += living.fields("life_") + looking.fields("look_")
    if lateness.count > 0 {
      fields += [
        ("unsent", .number(unsent)), ("late_p99_ms", .real(lateness.ms(at: 99))),
        ("late_max_ms", .real(lateness.maxMs)),
      ]
    }
    if expired > 0 {
      fields += [
        ("expired", .number(expired)), ("back_after_ms", backAfterMs.map { .number($0) } ?? .none),
      ]
    }
    if let firstFailure { fields.append(("first_failure", .text(firstFailure))) }
    return fields
  }

  mutating func fail(_ reason: String) {
    failures += 1
    if firstFailure == nil { firstFailure = reason }
  }
}
