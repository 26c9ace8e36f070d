import Wire

/// What a client knows of one connection, as a value: the calls without an answer, and whether the
/// server still lives.  Events go in, actions come out; `ClientConnection` does the I/O.
///
/// `Work` is what the owner keeps with each call.  Times are nanoseconds of CLOCK_MONOTONIC.
struct ClientMachine<Work> {
  enum Phase: Equatable {
    case connecting
    case open
    /// The server has said that it goes: calls in flight are answered, new ones belong elsewhere.
    case goingAway
    case closed(String)
  }

  enum Start {
    case send(id: UInt64)
    case refuse(Status)
  }

  enum Response {
    /// The last word on a call.
    case complete(Work)
    /// An item of a stream.
    case item(Work)
    /// Nobody waits for it: the call was given up.
    case ignore
  }

  struct Tick {
    /// Calls whose time is over.
    var expired: [(id: UInt64, work: Work)] = []
    var sendPing = false
    /// The server does not answer at all.
    var close: String?
  }

  /// The server answers at the deadline; only when it does not is the call given up here.
  static var graceNs: UInt64 { 250_000_000 }

  private struct Call {
    let deadline: UInt64
    let isStream: Bool
    let work: Work
  }

  private(set) var phase = Phase.connecting
  /// What both speak; the first version until the server has said more.
  private(set) var version = ProtocolVersion.first
  private let keepaliveMs: UInt64
  private var calls: [UInt64: Call] = [:]
  private var lastID: UInt64 = 0
  private var heardAt: UInt64
  private var pingedAt: UInt64?

  /// - Parameter keepaliveMs: a server that owes an answer and has been silent for so long is asked
  ///   whether it lives; one silent for as long again is given up.  0: never.
  init(keepaliveMs: UInt64, now: UInt64) {
    self.keepaliveMs = keepaliveMs
    heardAt = now
  }

  var inFlight: Int { calls.count }

  /// - Parameter deadline: `.max` for none.
  mutating func start(deadline: UInt64, isStream: Bool = false, now: UInt64, work: Work) -> Start {
    switch phase {
    case .closed(let reason): return .refuse(.unreachable(reason))
    case .goingAway: return .refuse(.shuttingDown)
    case .connecting, .open: break
    }
    if calls.isEmpty { heardAt = now }
    lastID += 1
    calls[lastID] = Call(deadline: deadline, isStream: isStream, work: work)
    return .send(id: lastID)
  }

  /// An id for a call whose answer matters to nobody.
  mutating func idForControl() -> UInt64 {
    lastID += 1
    return lastID
  }

  mutating func connected() { if phase == .connecting { phase = .open } }

  mutating func agreed(on version: UInt32) { self.version = version }

  mutating func heard(_ now: UInt64) {
    heardAt = now
    pingedAt = nil
  }

  mutating func responded(to id: UInt64, isItem: Bool) -> Response {
    guard let call = calls[id] else { return .ignore }
    if isItem, call.isStream { return .item(call.work) }
    calls[id] = nil
    return .complete(call.work)
  }

  /// Whether a call waits for its answer.
  func isInFlight(_ id: UInt64) -> Bool { calls[id] != nil }

  mutating func goingAway() {
    if phase == .open || phase == .connecting { phase = .goingAway }
  }

  /// - Returns: everything that has no answer; empty when the connection was closed before.
  mutating func closed(_ reason: String) -> [Work] {
    if case .closed = phase { return [] }
    phase = .closed(reason)
    defer { calls.removeAll() }
    return calls.values.map(\.work)
  }

  mutating func tick(_ now: UInt64) -> Tick {
    var tick = Tick()
    for (id, call) in calls where call.deadline < .max && call.deadline + Self.graceNs <= now {
      calls[id] = nil
      tick.expired.append((id, call.work))
    }
    guard keepaliveMs > 0, !calls.isEmpty, phase == .open || phase == .goingAway else {
      return tick
    }
    let patience = keepaliveMs * 1_000_000
    if let pingedAt {
      if now >= pingedAt + patience { tick.close = "no answer to a ping in \(keepaliveMs) ms" }
    } else if now >= heardAt + patience {
      pingedAt = now
      tick.sendPing = true
    }
    return tick
  }
}

extension Status {
  static let unreachableReason = "UNREACHABLE"

  /// Nobody listens: the call did not happen.
  static func unreachable(_ reason: String) -> Status {
    Status(
      .unavailable, reason: unreachableReason, message: "The server cannot be reached: \(reason).",
      retryable: true)
  }

  /// The connection died before the answer.
  static func connectionLost(_ reason: String) -> Status {
    Status(
      .unavailable, reason: "CONNECTION_LOST", message: "The connection was lost: \(reason).",
      retryable: true, outcomeUnknown: true)
  }

  /// The server did not even say that the deadline had passed.
  static let noAnswer = Status(
    .deadlineExceeded, reason: "NO_ANSWER", message: "The server did not answer in time.",
    retryable: true, outcomeUnknown: true)

  static let malformedReply = Status(
    .internal, reason: "MALFORMED_REPLY", message: "The reply is not the method's message.",
    outcomeUnknown: true)
}
