import ArgumentParser
import Inventory

/// What a run does.
struct BenchPlan: Sendable {
  /// Who buys what.
  enum Scenario: String, CaseIterable, ExpressibleByArgument, Sendable {
    /// Everybody wants one SKU.
    case hot
    /// Many SKUs, a few of them wanted most.
    case zipf
    /// One SKU; every hold is confirmed or cancelled at once.
    case life
    /// One SKU; all holds expire at the same moment.
    case storm
  }

  static let connectionsMax = 10_000
  static let outstandingMax = 4_096
  static let batchMax = 4_096
  static let secondsMax = 3_600.0
  static let rateMax = 1_000_000.0
  static let skusMax = 100_000
  /// How long each call may take, in milliseconds.
  static let timeoutMs: UInt32 = 10_000
  /// Calls in flight of an open loop, all connections together; arrivals beyond it wait here, and
  /// their waiting counts.
  static let openInFlightMax = 100_000

  var scenario = Scenario.hot
  var connections = 64
  /// Calls in flight on each, in a closed loop.
  var outstanding = 1
  /// Reserves in one call; 0: each by itself, with Reserve.
  var batch = 0
  var seconds = 5.0
  /// Calls a second of an open loop; nil: a closed loop.
  var rate: Double?
  var skus: [String] = []
  var zipfExponent = 1.0
  /// The share of holds that is confirmed, in `life`; the rest is cancelled.
  var confirmShare = 0.5
  var acknowledge: Acknowledgement?
  var seed: UInt64 = 0
}
