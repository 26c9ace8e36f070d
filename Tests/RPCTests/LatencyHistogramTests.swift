import Testing

@testable import RPC

/// Times in buckets against the same times sorted.
@Suite("Latency histogram")
struct LatencyHistogramTests {
  @Test("a quantile is never below the truth, and at most a sixteenth above it")
  func quantiles() throws {
    var random = SystemRandomNumberGenerator()
    for shift: UInt64 in [2, 10, 20, 39] {
      var histogram = LatencyHistogram()
      let times = (0..<2_000).map { _ in UInt64.random(in: 0..<1 << shift, using: &random) }
        .sorted()
      for time in times { histogram.add(time) }
      #expect(histogram.count == 2_000 && histogram.longest == times.last)
      for share in [0.001, 0.5, 0.99, 1] {
        let truth = times[max(Int((2_000 * share).rounded(.up)) - 1, 0)]
        let said = histogram.quantile(share)
        #expect(said >= truth && said <= truth + truth / 16, "\(share) of \(shift) bits")
      }
    }
  }

  @Test("nothing counted: 0; one counted: that one; longer than it can tell: the longest")
  func edges() {
    var histogram = LatencyHistogram()
    #expect(histogram.quantile(0.99) == 0)
    histogram.add(123_456_789)
    #expect(histogram.quantile(0.5) == 123_456_789)
    histogram.add(.max)
    #expect(histogram.longest == .max && histogram.count == 2)
    #expect(histogram.quantile(1) == LatencyHistogram.nanosecondsMax)
  }
}
