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
    /// An item that the stream's window does not allow: the last word on the stream, and the server
    /// is not to be trusted with memory any longer.
    case overrun(Work)
    /// Nobody waits for it: the call was given up.
    case ignore
  }

  struct Tick {
    /// Calls whose time is over.
    var expired: [Work] = []
    /// Calls that the server is to be asked to stop.
    var cancel: [UInt64] = []
    var sendPing = false
    /// The server does not answer at all.
    var close: String?
  }

  /// The server answers at the deadline; only when it does not is the call given up here.
  static var graceNs: UInt64 { 250_000_000 }

  private struct Call {
    let deadline: UInt64
    /// Bytes that the server may still send; nil: not a stream.
    var credit: Int?
    let work: Work
  }

  private(set) var phase = Phase.connecting
  /// What both speak; nil: the server has been asked.
  private(set) var version: UInt32?
  /// Calls to be stopped once it is known that the server can.
  private var toCancel: [UInt64] = []
  private let keepaliveMs: UInt64
  private var calls: [UInt64: Call] = [:]
  private var lastID: UInt64 = 0
  private var heardAt: UInt64
  private var pingedAt: UInt64?

  /// - Parameters:
  ///   - keepaliveMs: a server that owes an answer and has been silent for so long is asked whether it
  ///     lives; one silent for as long again is given up.  0: never.
  ///   - asksVersion: the server is asked, and `agreed` follows; if not, the first version is spoken.
  init(keepaliveMs: UInt64, asksVersion: Bool = false, now: UInt64) {
    self.keepaliveMs = keepaliveMs
    version = asksVersion ? nil : ProtocolVersion.first
    heardAt = now
  }

  var inFlight: Int { calls.count }

  /// - Parameters:
  ///   - deadline: `.max` for none.
  ///   - windowBytes: of a stream, 0 for the default; nil for a call with one answer.
  mutating func start(
    deadline: UInt64, windowBytes: UInt32? = nil, now: UInt64, work: Work
  ) -> Start {
    switch phase {
    case .closed(let reason): return .refuse(.unreachable(reason))
    case .goingAway: return .refuse(.shuttingDown)
    case .connecting, .open: break
    }
    if calls.isEmpty { heardAt = now }
    lastID += 1
    calls[lastID] = Call(
      deadline: deadline, credit: windowBytes.map { RPCLimits.window($0) }, work: work)
    return .send(id: lastID)
  }

  /// An id for a call whose answer matters to nobody.
  mutating func idForControl() -> UInt64 {
    lastID += 1
    return lastID
  }

  mutating func connected() { if phase == .connecting { phase = .open } }

  /// - Parameter version: the first one when the server did not know the question.
  /// - Returns: calls that the server is to be asked to stop.
  mutating func agreed(on version: UInt32) -> [UInt64] {
    self.version = version
    defer { toCancel.removeAll() }
    return canCancel ? toCancel : []
  }

  private var canCancel: Bool { (version ?? ProtocolVersion.first) >= 2 }

  mutating func heard(_ now: UInt64) {
    heardAt = now
    pingedAt = nil
  }

  /// - Parameter itemBytes: what an item takes of its stream's window; nil: the last word.
  mutating func responded(to id: UInt64, itemBytes: Int?) -> Response {
    guard let call = calls[id] else { return .ignore }
    if let itemBytes, let credit = call.credit, credit > 0 {
      calls[id]!.credit = credit - itemBytes
      return .item(call.work)
    }
    calls[id] = nil
    return itemBytes != nil && call.credit != nil ? .overrun(call.work) : .complete(call.work)
  }

  /// Lets the server send more of a stream.
  /// - Returns: whether it is to be told.
  mutating func granted(_ bytes: UInt32, to id: UInt64) -> Bool {
    guard let credit = calls[id]?.credit else { return false }
    calls[id]!.credit = credit + Int(bytes)
    return true
  }

  /// The caller wants a call stopped; it is answered all the same.
  /// - Returns: whether the server is to be asked now.  It cannot be by the first version; before the
  ///   version is known, the question waits for `agreed`.
  mutating func cancel(_ id: UInt64) -> Bool {
    guard calls[id] != nil else { return false }
    if version == nil { toCancel.append(id) }
    return canCancel
  }

  /// Nobody waits for a call any more: what came of it cannot be read.
  /// - Returns: what was kept with it; nil: it has had its last word.
  mutating func abandoned(_ id: UInt64) -> Work? { calls.removeValue(forKey: id)?.work }

  /// Whether a call waits for its answer.
  func isInFlight(_ id: UInt64) -> Bool { calls[id] != nil }

  mutating func goingAway() {
    if phase == .open || phase == .connecting { phase = .goingAway }
  }

  /// - Returns: everything that has no answer; empty when the connection was closed before.
  mutating func closed(_ reason: String) -> [Work] {
    if case .closed = phase { return [] }
    phase = .closed(reason)
    toCancel.removeAll()
    defer { calls.removeAll() }
    return calls.values.map(\.work)
  }

  mutating func tick(_ now: UInt64) -> Tick {
    var tick = Tick()
    for (id, call) in calls where call.deadline < .max && call.deadline + Self.graceNs <= now {
      if cancel(id) { tick.cancel.append(id) }
      calls[id] = nil
      tick.expired.append(call.work)
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

  /// The server sent what it may not send.
  static let windowOverrun = Status(
    .internal, reason: "WINDOW_OVERRUN",
    message: "The server sent more of the stream than its window.")

  /// The server did not even say that the deadline had passed.
  static let noAnswer = Status(
    .deadlineExceeded, reason: "NO_ANSWER", message: "The server did not answer in time.",
    retryable: true, outcomeUnknown: true)

  static let malformedReply = Status(
    .internal, reason: "MALFORMED_REPLY", message: "The reply is not the method's message.",
    outcomeUnknown: true)
}
