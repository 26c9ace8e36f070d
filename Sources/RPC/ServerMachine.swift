import Wire

/// What a server knows of one connection, as a value: what is owed to the peer, and how long it has
/// kept us waiting.  Events go in, actions come out; `Connection` does the I/O.
///
/// How it works.  A connection is open, then going away, then finishing, then closed; it never goes
/// back.  Going away: the peer has been told, calls in flight are answered, new ones refused.
/// Finishing: nothing more is said, and the peer is given time to read the rest.
///
/// `Work` is what the owner keeps with each call in flight.  Times are nanoseconds of
/// CLOCK_MONOTONIC.
struct ServerMachine<Work> {
  enum Phase: Equatable {
    case open
    case goingAway(since: UInt64)
    case finishing(since: UInt64)
    case closed
  }

  /// How long a connection may live.  0: no limit.
  struct Terms {
    var idleMs = RPCLimits.idleMsDefault
    var ageMs: UInt64 = 0
  }

  enum Arrival {
    /// Hand the call to its handler; `answered` must follow.
    case dispatch
    /// Answer with this; the call has not happened.
    case refuse(Status)
    /// The peer breaks the protocol.
    case close(String)
    /// Nothing can be said any more.
    case ignore
  }

  enum Tick: Equatable {
    case nothing
    /// Send the notice.
    case goAway(String)
    /// Send what is left, and end the writing side.
    case finish
    case close(String)
  }

  private struct Call {
    let requestBytes: Int
    /// Bytes that may still be sent; nil: not a stream.
    var credit: Int?
    var work: Work
  }

  private(set) var phase = Phase.open
  private let terms: Terms
  let openedAt: UInt64
  private var calls: [UInt64: Call] = [:]
  /// Bytes of the requests of calls in flight.
  private(set) var requestBytes = 0
  private(set) var streamCount = 0
  /// When the last frame came; nil before the first.
  private var heardAt: UInt64?
  private var partialSince: UInt64?
  private var unreadSince: UInt64?
  private var unreadProgress: UInt64 = 0

  init(terms: Terms, now: UInt64) {
    self.terms = terms
    openedAt = now
  }

  var inFlight: Int { calls.count }

  // MARK: calls

  /// - Parameter windowBytes: of a stream, 0 for the default; nil for a call with one answer.
  mutating func arrived(
    _ id: UInt64, requestBytes bytes: Int, windowBytes: UInt32?, work: Work
  ) -> Arrival {
    switch phase {
    case .open: break
    case .goingAway: return .refuse(.shuttingDown)
    case .finishing, .closed: return .ignore
    }
    guard calls.count < RPCLimits.callsInFlightMax else { return .refuse(.tooManyCalls) }
    guard requestBytes + bytes <= RPCLimits.requestBytesInFlightMax else {
      return .refuse(.tooManyBytes)
    }
    if windowBytes != nil, streamCount >= RPCLimits.streamsMax { return .refuse(.tooManyStreams) }
    let call = Call(
      requestBytes: bytes, credit: windowBytes.map { RPCLimits.window($0) }, work: work)
    if let first = calls.updateValue(call, forKey: id) {
      // The one in flight is still owed its answer.
      calls[id] = first
      return .close("call \(id) is already in flight")
    }
    if windowBytes != nil { streamCount += 1 }
    requestBytes += bytes
    return .dispatch
  }

  /// The last word on a call.
  /// - Returns: what was kept with it.
  mutating func answered(_ id: UInt64) -> Work {
    guard let call = calls.removeValue(forKey: id) else {
      preconditionFailure("a call was answered twice")
    }
    requestBytes -= call.requestBytes
    if call.credit != nil { streamCount -= 1 }
    return call.work
  }

  /// nil: it has been answered, or never was.
  func work(of id: UInt64) -> Work? { calls[id]?.work }

  /// Everything in flight; the calls stay until they are answered.
  var allWork: [Work] { calls.values.map(\.work) }

  // MARK: streams

  /// Whether another item may be sent.  The last one may overdraw the credit.
  func hasCredit(_ id: UInt64) -> Bool { (calls[id]?.credit ?? 0) > 0 }

  mutating func sentItem(of bytes: Int, on id: UInt64) { calls[id]?.credit? -= bytes }

  /// - Returns: whether the stream had to wait until now.
  mutating func granted(_ bytes: UInt32, to id: UInt64) -> Bool {
    guard let credit = calls[id]?.credit else { return false }
    let granted = min(credit + Int(bytes), RPCLimits.windowBytesMax)
    calls[id]?.credit = granted
    return credit <= 0 && granted > 0
  }

  // MARK: life

  /// A whole frame has come.
  mutating func heard(_ now: UInt64) { heardAt = now }

  /// - Returns: whether the notice is to be sent.
  mutating func goAway(_ now: UInt64) -> Bool {
    guard phase == .open else { return false }
    phase = .goingAway(since: now)
    return true
  }

  mutating func closed() { phase = .closed }

  /// - Parameters:
  ///   - partial: the peer has begun a frame and not ended it.
  ///   - unread: bytes wait that the peer does not take.
  ///   - sent: bytes that it has taken so far.
  mutating func tick(_ now: UInt64, partial: Bool, unread: Bool, sent: UInt64) -> Tick {
    switch phase {
    case .open:
      if let reason = patience(now, partial: partial, unread: unread, sent: sent) {
        return .close(reason)
      }
      return endOfLife(now).map { .goAway($0) } ?? .nothing
    case .goingAway(let since):
      if passed(RPCLimits.goingAwayMsMax, since: since, now) {
        return .close("\(calls.count) calls were in flight when its time was over")
      }
      guard calls.isEmpty, passed(RPCLimits.lingerMs, since: since, now) else { return .nothing }
      phase = .finishing(since: now)
      return .finish
    case .finishing(let since):
      let patience = unread ? RPCLimits.goingAwayMsMax : RPCLimits.lingerMs
      return passed(patience, since: since, now) ? .close("the peer stays") : .nothing
    case .closed: return .nothing
    }
  }

  /// Why the peer is not waited for any longer.
  private mutating func patience(
    _ now: UInt64, partial: Bool, unread: Bool, sent: UInt64
  ) -> String? {
    if heardAt == nil, passed(RPCLimits.firstFrameMsMax, since: openedAt, now) {
      return "no call came in \(RPCLimits.firstFrameMsMax) ms"
    }
    if !partial || (heardAt ?? 0) > (partialSince ?? .max) { partialSince = nil }
    if partial, partialSince == nil { partialSince = now }
    if let partialSince, passed(RPCLimits.frameMsMax, since: partialSince, now) {
      return "a frame did not end in \(RPCLimits.frameMsMax) ms"
    }
    if !unread || sent != unreadProgress { unreadSince = nil }
    unreadProgress = sent
    if unread, unreadSince == nil { unreadSince = now }
    if let unreadSince, passed(RPCLimits.unreadMsMax, since: unreadSince, now) {
      return "the peer took no reply in \(RPCLimits.unreadMsMax) ms"
    }
    return nil
  }

  /// Why a connection in good order ends.
  private func endOfLife(_ now: UInt64) -> String? {
    if terms.ageMs > 0, passed(terms.ageMs, since: openedAt, now) { return "age" }
    if terms.idleMs > 0, calls.isEmpty, passed(terms.idleMs, since: heardAt ?? openedAt, now) {
      return "idle"
    }
    return nil
  }

  private func passed(_ ms: UInt64, since: UInt64, _ now: UInt64) -> Bool {
    now >= since + ms * 1_000_000
  }
}

extension Status {
  static let shuttingDown = Status(
    .unavailable, reason: "SHUTTING_DOWN",
    message: "This connection is closing: the call was not made.", retryable: true)

  static let tooManyCalls = Status(
    .resourceExhausted, reason: "TOO_MANY_CALLS",
    message: "A connection may have \(RPCLimits.callsInFlightMax) calls in flight.",
    retryable: true, retryAfterMs: 10)

  static let tooManyBytes = Status(
    .resourceExhausted, reason: "TOO_MANY_BYTES",
    message: "A connection may have \(RPCLimits.requestBytesInFlightMax) bytes of requests in "
      + "flight.", retryable: true, retryAfterMs: 10)

  static let tooManyStreams = Status(
    .resourceExhausted, reason: "TOO_MANY_STREAMS",
    message: "A connection may have \(RPCLimits.streamsMax) streams.", retryable: true,
    retryAfterMs: 1_000)

  static let cancelled = Status(
    .cancelled, reason: "CANCELLED", message: "The caller cancelled the call.")

  static let deadlinePassed = Status(
    .deadlineExceeded, reason: "DEADLINE", message: "The call's deadline passed.", retryable: true)

  static let deadlinePassedUnread = Status(
    .deadlineExceeded, reason: "DEADLINE",
    message: "By this server's clock the call's deadline_at had passed when it was read.",
    retryable: true)
}
