import HotPath
import Inventory
import Loop
import Wire

/// What a caller is promised before it hears of its change.
struct Promise {
  let level: Acknowledgement
  /// Whether the call named it, and so wants to be told what was reached.
  let isNamed: Bool
}

/// Keeps promises that need more than the script's own answer.
///
/// How it works.  Redis answers a script after it has synced its file, so FSYNC needs nothing more,
/// and neither does MEMORY.  For REPLICA and LEDGER the change is done first, in the same batch as
/// everybody's, and its caller hears of it when the replicas or the books have it.  When that takes
/// longer than the caller waits, it hears in time that the change is done and what was reached:
/// "held, less durable than asked".
///
/// Lives on the loop's queue.
final class Acknowledging {
  /// So long before a call's deadline it is answered with what was reached.
  static let marginMs: UInt64 = 50

  private let store: Store
  private let loop: EventLoop
  private let standard: Acknowledgement
  private let replicas: ReplicaWait
  private let books: BooksWait

  init(
    _ store: Store, replicas: ReplicaWait, books: BooksWait, loop: EventLoop,
    standard: Acknowledgement
  ) {
    self.store = store
    self.replicas = replicas
    self.books = books
    self.loop = loop
    self.standard = standard
  }

  func close() {
    replicas.close()
    books.close()
  }

  /// Why the server sells nothing to callers that name no level; nil: it sells.
  var refusal: String? { store.refusal(of: standard) }

  /// Promises a level, unless Redis as it is set cannot keep it.
  /// - Parameter asked: nil: the server's own.
  func promise(_ asked: Acknowledgement?) throws(Status) -> Promise {
    let level = asked ?? standard
    if let reason = store.refusal(of: level) {
      throw Status(
        .failedPrecondition, reason: "ACKNOWLEDGE_UNAVAILABLE",
        message: "\(level.name) cannot be promised: \(reason).", field: "acknowledge")
    }
    return Promise(level: level, isNamed: asked != nil)
  }

  /// Whether the script's answer is all that the promise needs, and nobody wants to hear more.
  func isKept(_ promise: Promise) -> Bool {
    !promise.isNamed && promise.level <= .fsync && store.refusal(of: promise.level) == nil
  }

  /// Calls back when the promise is kept, or cannot be in time.
  /// - Parameters:
  ///   - answer: what the script has said.
  ///   - deadline: of the call, in nanoseconds of CLOCK_MONOTONIC.
  ///   - done: called once, with what the caller is to be told was reached.
  func keep(
    _ promise: Promise, of answer: Answer, by deadline: UInt64,
    _ done: @escaping (Acknowledgement?) -> Void
  ) {
    guard answer.outcome.isDone, let hold = answer.ended ?? answer.hold.map({ EndedHold(of: $0) })
    else { return done(nil) }
    // Redis may have been set otherwise while the call waited.
    let own: Acknowledgement = store.refusal(of: .fsync) == nil ? .fsync : .memory
    func tell(_ reached: Acknowledgement) {
      done(promise.isNamed || reached < promise.level ? reached : nil)
    }
    let end = deadline - min(deadline, Self.marginMs * 1_000_000)
    guard own == .fsync, promise.level > .fsync, end > loop.now else { return tell(own) }
    if promise.level == .replica {
      replicas.wait(until: end) { tell($0 ? .replica : own) }
    } else {
      books.wait(for: "\(hold.id)/\(hold.version)", until: end) { tell($0 ? .ledger : own) }
    }
  }
}

extension Outcome {
  /// Whether a change has been done, now or before.
  fileprivate var isDone: Bool {
    switch self {
    case .held, .repeated, .confirmed, .cancelled, .extended: true
    default: false
    }
  }
}
