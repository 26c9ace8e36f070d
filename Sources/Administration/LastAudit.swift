import Synchronization
import Wire

/// What the continuous audit, of whichever worker, has said last.  Any thread may ask.
final class LastAudit: Sendable {
  private let last = Mutex<AuditState?>(nil)

  /// nil: none has said anything yet.
  var state: AuditState? { last.withLock { $0 } }

  /// - Parameter figures: as they stand in Redis.
  func read(_ figures: [String: String]) {
    last.withLock { $0 = figures.isEmpty ? nil : AuditState(figures) }
  }
}

extension AuditState {
  fileprivate init(_ figures: [String: String]) {
    self.init()
    verdict = figures["verdict"] ?? ""
    differences = figures["differences"].flatMap { UInt64($0) } ?? 0
    kinds = figures["kinds"] ?? ""
    explained = figures["explained"].flatMap { UInt64($0) } ?? 0
    undecided = figures["undecided"] ?? ""
    worker = figures["worker"] ?? ""
    at = figures["at"].flatMap { Int64($0) } ?? 0
  }
}
