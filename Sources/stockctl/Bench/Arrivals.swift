import Glibc

/// Numbers that are the same for the same seed (SplitMix64, https://prng.di.unimi.it/splitmix64.c).
struct SeededNumbers: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// In 0..<1.
  mutating func share() -> Double { Double(next() >> 11) * 0x1p-53 }
}

/// When calls are meant to be made: a Poisson process, as of buyers who know nothing of each other.
struct Arrivals {
  private let perSecond: Double
  /// The next, in nanoseconds of CLOCK_MONOTONIC.
  private(set) var next: UInt64

  init(perSecond: Double, from start: UInt64, _ numbers: inout SeededNumbers) {
    self.perSecond = perSecond
    next = start
    advance(&numbers)
  }

  /// To the one after it.
  mutating func advance(_ numbers: inout SeededNumbers) {
    // The times between are distributed exponentially.
    next += UInt64(-log(1 - numbers.share()) / perSecond * 1_000_000_000)
  }
}

/// Places 0..<count of which a few are asked for most: the n-th as often as 1/n^exponent.
struct Zipf {
  private let sums: [Double]

  init(count: Int, exponent: Double) {
    var sum = 0.0
    sums = (1...count).map { place in
      sum += pow(Double(place), -exponent)
      return sum
    }
  }

  /// - Parameter share: in 0..<1, at random.
  func place(at share: Double) -> Int {
    let wanted = share * sums[sums.count - 1]
    var (low, high) = (0, sums.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if sums[middle] > wanted { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
