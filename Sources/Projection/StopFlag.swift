import Dispatch
import Synchronization

/// Asks a projection to end.  Any thread may raise it.
public final class StopFlag: Sendable {
  private let raised = Atomic(false)
  private let wake = DispatchSemaphore(value: 0)

  /// A flag that is down.
  public init() {}

  /// Whether it has been raised.
  public var isRaised: Bool { raised.load(ordering: .acquiring) }

  /// Raises it, for good.
  public func raise() {
    raised.store(true, ordering: .releasing)
    wake.signal()
  }

  /// Sleeps; returns at once when the flag is, or gets, raised.
  public func sleep(ms: UInt64) {
    if wake.wait(timeout: .now() + .milliseconds(Int(ms))) == .success { wake.signal() }
  }
}
