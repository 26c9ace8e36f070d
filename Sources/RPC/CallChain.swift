public import Wire

/// What stands between a call's envelope and its handler, in this order; `Connection.received` walks
/// it, and this file is where a link is added.
///
/// 1. *Routing*: the method's name becomes a handler, or UNIMPLEMENTED.
/// 2. *Deadline*: the timeout becomes a point in time, which goes with the call.
/// 3. *Limits*: calls, bytes and streams in flight; whether the connection is going away.
/// 4. *Identity*: who calls, and whether they may.  Here certificates and permissions have their
///    place.
/// 5. *Observers*, on the way back, told how the call ended: `CallLog`, `CallCounts`, and what an
///    embedding program adds, such as an exporter of metrics or of traces.
public struct CallChain {
  /// Refuses calls, by what is known of the caller; nil lets the call pass.
  public typealias IdentityCheck = (Peer, _ method: String, Metadata) -> Status?

  /// nil: everybody may call everything.
  public var identity: IdentityCheck?
  /// Told in this order when a call has ended, one that was refused included.
  public var observers: [any CallObserver] = []

  /// A chain without identity and observers.
  public init() {}
}

/// Watches calls; changes nothing.  Called on the loop's queue, for every call: be quick, and count
/// in arrays by `methodNumber` rather than in dictionaries.
///
/// An exporter of metrics keeps its figures here and hands them out from a task of its own, which
/// asks for them on that queue, as `Diagnostics/State` does with `CallCounts`.  An exporter of traces
/// finds the caller's span in `metadata["traceparent"]`; begin and end of its own are
/// `beganAt` and `now`.
public protocol CallObserver: AnyObject {
  /// A call has been answered; of a stream, this was the last word.
  /// - Parameters:
  ///   - status: nil when it succeeded.
  ///   - now: nanoseconds of CLOCK_MONOTONIC.
  func ended(_ call: CallRecord, _ status: Status?, now: UInt64)
}

/// What observers learn of a call, and what is kept of it until it is answered.  Lives on the loop's
/// queue.
public final class CallRecord {
  /// "stock.v1.Reservations/Reserve"
  public var method: String { entry.name }
  /// Where the method stands in its table: a dense number, for arrays of counters.
  public var methodNumber: Int { entry.number }
  /// Nanoseconds of CLOCK_MONOTONIC.
  public let beganAt: UInt64
  /// The caller's headers.
  public let metadata: Metadata
  /// Who calls.
  public let peer: Peer

  /// Its answer was a stream, which may be open for days.
  public var isStream: Bool { entry.isStream }

  let entry: MethodTable.Entry
  /// The answer, when it is a stream.
  let stream: ResponseStream?
  /// Stops the work on it.
  var stop: (() -> Void)?

  init(
    beganAt: UInt64, metadata: Metadata, peer: Peer, entry: MethodTable.Entry,
    stream: ResponseStream? = nil
  ) {
    self.beganAt = beganAt
    self.metadata = metadata
    self.peer = peer
    self.entry = entry
    self.stream = stream
  }
}

/// The other end of a connection.
public enum Peer: Hashable, Sendable, CustomStringConvertible {
  /// A numeric address, without the port.
  case ip(String)
  /// A user of this machine.
  case user(UInt32)

  /// "203.0.113.9" or "uid 1000"
  public var description: String {
    switch self {
    case .ip(let address): address
    case .user(let number): "uid \(number)"
    }
  }
}
