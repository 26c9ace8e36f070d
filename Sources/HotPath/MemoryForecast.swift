/// When a Redis's memory will be full, if it goes on filling as it does.
///
/// How it works.  Every `sampleMs` the bytes are noted that nothing can give back.  How they rise is
/// believed for `trust` times as long as it has been watched, up to `minutesMax`; and what rose a moment
/// ago and rises no more says nothing, so that the slower of the whole and of its last third counts.
///
/// A value without a clock.
struct MemoryForecast: Equatable {
  /// Milliseconds between two samples.
  static let sampleMs: UInt64 = 10_000
  /// Samples that are remembered: six minutes.
  static let samplesMax = 37
  /// Samples without which nothing is said.
  static let samplesMin = 4
  /// A trend is believed for so many times as long as it has been watched.
  static let trust = 10.0
  /// Minutes that are foreseen at most.
  static let minutesMax = 60.0

  private struct Sample: Equatable {
    let bytes: Int64
    /// Nanoseconds of CLOCK_MONOTONIC.
    let at: UInt64
  }

  private var samples: [Sample] = []

  /// Whether it is time for `note`.
  /// - Parameter now: nanoseconds of CLOCK_MONOTONIC.
  func wantsSample(at now: UInt64) -> Bool {
    samples.last.map { now >= $0.at + Self.sampleMs * 1_000_000 } ?? true
  }

  /// Notes how much is in use that nothing can give back.
  /// - Parameter now: nanoseconds of CLOCK_MONOTONIC.
  mutating func note(bytes: Int64, at now: UInt64) {
    samples.append(Sample(bytes: bytes, at: now))
    if samples.count > Self.samplesMax { samples.removeFirst() }
  }

  /// Another Redis, or another limit: nothing is known.
  mutating func forget() { samples.removeAll() }

  /// Minutes until so many bytes are in use; nil: not within the time that can be foreseen.
  func minutes(until limit: Int64) -> Double? {
    guard samples.count >= Self.samplesMin, let first = samples.first, let last = samples.last
    else { return nil }
    let third = samples[samples.count - 1 - samples.count / 3]
    let perMinute = min(Self.rise(from: first, to: last), Self.rise(from: third, to: last))
    guard perMinute > 0 else { return nil }
    let minutes = Double(max(limit - last.bytes, 0)) / perMinute
    let watched = Double(last.at - first.at) / 60e9
    return minutes <= min(watched * Self.trust, Self.minutesMax) ? minutes : nil
  }

  /// Bytes a minute.
  private static func rise(from start: Sample, to end: Sample) -> Double {
    guard end.at > start.at else { return 0 }
    return Double(end.bytes - start.bytes) * 60e9 / Double(end.at - start.at)
  }
}
