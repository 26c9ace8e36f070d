@testable import RPC
import Wire

/// A connection's life as the bytes of an input have it: what the peer sends, how calls are answered,
/// time, draining, the end.  `ServerMachine` decides as in `Connection`, and a second book is kept of
/// what it must have decided.
struct ServerHistory: ~Copyable {
  private struct Call {
    let requestBytes: Int
    /// nil: one answer.
    var credit: Int?
  }

  private enum Phase: Int {
    case open, goingAway, finishing, closed

    init(_ phase: ServerMachine<UInt64>.Phase) {
      switch phase {
      case .open: self = .open
      case .goingAway: self = .goingAway
      case .finishing: self = .finishing
      case .closed: self = .closed
      }
    }
  }

  private var choices: Choices
  private var machine: ServerMachine<UInt64>
  private var reader = FrameReader()
  private var wire = ByteBuffer()
  private let arena = Arena()

  private var calls: [UInt64: Call] = [:]
  private var requestBytes = 0
  private var streams = 0
  private var phase = Phase.open
  private var nextID: UInt64 = 1_000
  private var nowMs: UInt64 = 0
  private var sent: UInt64 = 0

  init(_ bytes: UnsafeRawBufferPointer) {
    choices = Choices(bytes)
    let terms = ServerMachine<UInt64>.Terms(
      idleMs: UInt64(choices.below(4)) * 20_000, ageMs: UInt64(choices.below(4)) * 60_000)
    machine = ServerMachine(terms: terms, now: 0)
  }

  mutating func run() {
    while !choices.isEmpty, phase != .closed {
      step()
      check()
    }
    end()
  }

  private mutating func step() {
    switch choices.below(10) {
    case 0: peerSends(choices.take(choices.below(256)))
    case 1: call(UInt64(choices.below(8)) + 1, isStream: false)
    case 2: call(UInt64(choices.below(8)) + 1, isStream: true)
    case 3: control()
    case 4: answer()
    case 5: sendItems()
    case 6: tick()
    case 7: goAway()
    case 8: crowd()
    default: if choices.below(8) == 0 { closeAll() }
    }
  }

  private var nowNs: UInt64 { nowMs * 1_000_000 }

  // MARK: the peer

  private mutating func peerSends(_ bytes: UnsafeRawBufferPointer) {
    // Delivered outside, since a closure may not change a value that it is part of.
    var payloads: [[UInt8]] = []
    do throws(FrameError) {
      try reader.take(bytes) { payload in
        payloads.append(Array(payload))
        return true
      }
    } catch {
      closeAll()
    }
    for payload in payloads where phase != .closed { payload.withUnsafeBytes { received($0) } }
  }

  private mutating func received(_ payload: UnsafeRawBufferPointer) {
    arena.reset()
    guard let request = try? RequestEnvelope(payload, arena: arena) else { return closeAll() }
    machine.heard(nowNs)
    switch String(decoding: request.method, as: UTF8.self) {
    case CreditRequest.method:
      guard let credit = try? CreditRequest(request.message, arena: arena) else { return }
      granted(credit.bytes, to: credit.callID)
    case CancelCallRequest.method:
      guard let cancel = try? CancelCallRequest(request.message, arena: arena) else { return }
      let work = machine.work(of: cancel.callID)
      promise(
        work == (calls[cancel.callID] == nil ? nil : cancel.callID), "another call is stopped")
      if work != nil { answered(cancel.callID) }
    case FollowRequest.method:
      arrived(request.callID, bytes: payload.count, windowBytes: request.windowBytes)
    default: arrived(request.callID, bytes: payload.count, windowBytes: nil)
    }
  }

  private mutating func call(_ id: UInt64, isStream: Bool) {
    let method = isStream ? FollowRequest.method : HealthCheckRequest.method
    let windowBytes = isStream ? UInt32(truncatingIfNeeded: choices.number()) : 0
    var message = ByteBuffer()
    for _ in 0..<choices.below(64) { message.append("x") }
    send(id, method, windowBytes, message)
  }

  private mutating func control() {
    let id = UInt64(choices.below(10)) + 1
    var message = ByteBuffer()
    if choices.below(2) == 0 {
      CancelCallRequest(callID: id).encode(into: &message, arena: arena)
      send(900, CancelCallRequest.method, 0, message)
    } else {
      let bytes = UInt32(truncatingIfNeeded: choices.number())
      CreditRequest(callID: id, bytes: bytes).encode(into: &message, arena: arena)
      send(900, CreditRequest.method, 0, message)
    }
  }

  private mutating func send(
    _ id: UInt64, _ method: String, _ windowBytes: UInt32, _ message: borrowing ByteBuffer
  ) {
    RequestEnvelope.append(
      callID: id, method: method, timeoutMs: 0, windowBytes: windowBytes, message: message,
      to: &wire, arena: arena)
    let bytes = Array(wire.readable)
    wire.consume(wire.count)
    bytes.withUnsafeBytes { peerSends($0) }
  }

  /// Many calls at once, or large ones: the limits are far away otherwise.  Seldom, and once, since it
  /// takes as long as a thousand other steps.
  private mutating func crowd() {
    let kind = choices.below(256)
    guard nextID == 1_000, kind < 3 else { return }
    let (count, bytes, windowBytes): (Int, Int, UInt32?) =
      switch kind {
      case 0: (RPCLimits.streamsMax + 1, 16, 1)
      case 1: (5, 2 * 1024 * 1024, nil)
      default: (RPCLimits.callsInFlightMax + 1, 16, nil)
      }
    for _ in 0..<count {
      nextID += 1
      arrived(nextID, bytes: bytes, windowBytes: windowBytes)
    }
  }

  private mutating func arrived(_ id: UInt64, bytes: Int, windowBytes: UInt32?) {
    let before = (calls: calls.count, streams: windowBytes == nil ? 0 : streams)
    switch machine.arrived(id, requestBytes: bytes, windowBytes: windowBytes, work: id) {
    case .dispatch:
      promise(phase == .open, "a call begins on a connection that ends")
      promise(calls[id] == nil, "two calls under one id")
      promise(before.calls < RPCLimits.callsInFlightMax, "too many calls")
      promise(before.streams < RPCLimits.streamsMax, "too many streams")
      let credit = windowBytes.map { $0 == 0 ? 65_536 : min(Int($0), 1_048_576) }
      calls[id] = Call(requestBytes: bytes, credit: credit)
      requestBytes += bytes
      streams += credit == nil ? 0 : 1
    case .refuse(let status):
      promise(phase == .open || phase == .goingAway, "a finished connection answers")
      promise(status.retryable && !status.outcomeUnknown, "a refused call has not happened")
      promise(phase == .open || status.reason == "SHUTTING_DOWN", "\(status.reason) while it goes")
    case .close:
      promise(phase == .open && calls[id] != nil, "closed for an id that is free")
      closeAll()
    case .ignore: promise(phase == .finishing || phase == .closed, "a call is ignored")
    }
  }

  private mutating func granted(_ bytes: UInt32, to id: UInt64) {
    let goesOn = machine.granted(bytes, to: id)
    guard let credit = calls[id]?.credit else {
      return promise(!goesOn, "a grant to what is no stream")
    }
    let now = min(credit + Int(bytes), RPCLimits.windowBytesMax)
    calls[id]!.credit = now
    promise(goesOn == (credit <= 0 && now > 0), "a stream that waited must be told, and no other")
  }

  // MARK: the server

  private mutating func answer() {
    guard let id = chosen(where: { _ in true }) else { return }
    answered(id)
  }

  private mutating func answered(_ id: UInt64) {
    promise(machine.answered(id) == id, "another call is answered")
    let call = calls.removeValue(forKey: id)!
    requestBytes -= call.requestBytes
    streams -= call.credit == nil ? 0 : 1
    promise(!machine.hasCredit(id), "a stream goes on after its end")
  }

  private mutating func sendItems() {
    guard let id = chosen(where: { $0.credit != nil }) else { return }
    let bytes = RPCLimits.windowBytes(of: Int(choices.number() & 0xFFFFF))
    for _ in 0...choices.below(16) where machine.hasCredit(id) {
      promise(calls[id]!.credit! > 0, "more than the window is sent")
      machine.sentItem(of: bytes, on: id)
      calls[id]!.credit! -= bytes
    }
  }

  private mutating func chosen(where fits: (Call) -> Bool) -> UInt64? {
    // Those that the steps make, and two of a crowd.
    let ids = ([1_001, nextID] + (1...8)).filter { calls[$0].map(fits) == true }
    return ids.isEmpty ? nil : ids[choices.below(256) % ids.count]
  }

  private mutating func tick() {
    nowMs += UInt64(choices.below(256)) * 100
    let flags = choices.below(8)
    if flags & 4 != 0 { sent += 1 }
    ticked(partial: flags & 1 != 0, unread: flags & 2 != 0)
  }

  private mutating func ticked(partial: Bool, unread: Bool) {
    let before = phase
    switch machine.tick(nowNs, partial: partial, unread: unread, sent: sent) {
    case .nothing: break
    case .goAway:
      promise(before == .open, "told twice that it goes")
      goAway()
      promise(phase == .goingAway, "it does not go")
    case .finish: promise(before == .goingAway && calls.isEmpty, "calls lose their answers")
    case .close:
      promise(before != .closed, "closed twice")
      closeAll()
    }
  }

  private mutating func goAway() {
    let before = phase
    promise(machine.goAway(nowNs) == (before == .open), "the notice is sent once")
    phase = Phase(machine.phase)
    // As `Connection` does: streams end, calls are waited for.
    guard before == .open else { return }
    for (id, call) in calls where call.credit != nil { answered(id) }
  }

  private mutating func closeAll() {
    machine.closed()
    phase = .closed
    promise(Set(machine.allWork) == Set(calls.keys), "a call is not told")
    for id in calls.keys { answered(id) }
  }

  // MARK: the book

  private mutating func check() {
    let now = Phase(machine.phase)
    promise(now.rawValue >= phase.rawValue, "\(phase) became \(now)")
    phase = now
    promise(
      machine.inFlight == calls.count, "\(machine.inFlight) of \(calls.count) calls in flight")
    promise(calls.count <= RPCLimits.callsInFlightMax, "too many calls in flight")
    promise(machine.requestBytes == requestBytes, "another sum of requests in flight")
    promise(requestBytes <= RPCLimits.requestBytesInFlightMax, "too many bytes in flight")
    promise(machine.streamCount == streams, "\(machine.streamCount) of \(streams) streams")
    promise(streams <= RPCLimits.streamsMax, "too many streams")
    for id in 1...8 as ClosedRange<UInt64> {
      promise(machine.hasCredit(id) == ((calls[id]?.credit ?? 0) > 0), "another credit")
    }
  }

  /// Whatever came before, a connection that drains ends by itself, and every call has its answer.
  private mutating func end() {
    goAway()
    for _ in 0..<45 where phase != .closed {
      nowMs += 1_000
      ticked(partial: false, unread: true)
      check()
    }
    promise(phase == .closed, "it stays for ever")
    promise(machine.inFlight == 0, "a call without an answer")
    promise(machine.tick(nowNs + 1, partial: true, unread: true, sent: 0) == .nothing, "a ghost")
  }
}
