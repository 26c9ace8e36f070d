@testable import RPC
import Wire

/// A client's connection as the bytes of an input have it: calls, what the server sends, time, the
/// end.  `ClientMachine` decides as in `ClientConnection`, and a second book is kept.
struct ClientHistory: ~Copyable {
  private struct Call {
    let work: Int
    let deadlineMs: UInt64?
    var credit: Int?
  }

  private var choices: Choices
  private var machine: ClientMachine<Int>
  private var reader = FrameReader()
  private var wire = ByteBuffer()
  private let arena = Arena()

  /// Those without an answer.
  private var calls: [UInt64: Call] = [:]
  private var made = 0
  private var lastID: UInt64 = 0
  private var isClosed = false
  private var isGoing = false
  private var nowMs: UInt64 = 1
  /// Calls that were to be cancelled while it was not known whether the server can.
  private var waitToCancel = 0
  private var version: UInt32?

  init(_ bytes: UnsafeRawBufferPointer) {
    choices = Choices(bytes)
    let asks = choices.below(2) == 1
    version = asks ? nil : ProtocolVersion.first
    machine = ClientMachine(
      keepaliveMs: UInt64(choices.below(3)) * 5_000, asksVersion: asks, now: 1_000_000)
  }

  mutating func run() {
    while !choices.isEmpty {
      step()
      promise(
        machine.inFlight == calls.count, "\(machine.inFlight) of \(calls.count) calls in flight")
    }
    close()
    promise(machine.inFlight == 0, "a call without an answer")
    start(windowBytes: nil)
  }

  private mutating func step() {
    switch choices.below(10) {
    case 0: serverSends(choices.take(choices.below(256)))
    case 1: start(windowBytes: nil)
    case 2: start(windowBytes: UInt32(truncatingIfNeeded: choices.number()))
    case 3: answer(isItem: false)
    case 4: answer(isItem: true)
    case 5: grant()
    case 6: cancel()
    case 7: tick()
    case 8: agree()
    default: if choices.below(8) == 0 { close() } else { machine.connected() }
    }
  }

  private var nowNs: UInt64 { nowMs * 1_000_000 }
  private var someID: UInt64 { mutating get { UInt64(choices.below(16)) } }

  // MARK: the caller

  private mutating func start(windowBytes: UInt32?) {
    let limitMs = UInt64(choices.below(256)) * 100
    let deadlineMs = windowBytes == nil ? nowMs + limitMs : nil
    let deadline = deadlineMs.map { $0 * 1_000_000 } ?? .max
    switch machine.start(
      deadline: deadline, windowBytes: windowBytes, now: nowNs, work: made)
    {
    case .send(let id):
      promise(!isClosed && !isGoing, "a call begins on a connection that ends")
      promise(id > lastID, "an id is used again")
      lastID = id
      calls[id] = Call(
        work: made, deadlineMs: deadlineMs, credit: windowBytes.map { RPCLimits.window($0) })
      made += 1
    case .refuse(let status):
      promise(isClosed || isGoing, "refused without a reason")
      promise(status.retryable && !status.outcomeUnknown, "a refused call has not happened")
    }
  }

  private mutating func grant() {
    let id = someID
    let bytes = UInt32(truncatingIfNeeded: choices.number())
    promise(
      machine.granted(bytes, to: id) == (calls[id]?.credit != nil), "no grant, or to no stream")
    calls[id]?.credit? += Int(bytes)
  }

  private mutating func cancel() {
    let id = someID
    let asks = machine.cancel(id)
    promise(
      asks == (calls[id] != nil && (version ?? 1) >= 2), "the server is asked in vain, or not")
    if version == nil, calls[id] != nil { waitToCancel += 1 }
  }

  private mutating func agree() {
    guard version == nil, !isClosed else { return }
    let now = UInt32(choices.below(3)) + 1
    let asked = machine.agreed(on: now)
    promise(asked.count == (now >= 2 ? waitToCancel : 0), "a call that was cancelled goes on")
    version = now
    waitToCancel = 0
  }

  // MARK: the server

  private mutating func serverSends(_ bytes: UnsafeRawBufferPointer) {
    var payloads: [[UInt8]] = []
    do throws(FrameError) {
      try reader.take(bytes) { payload in
        payloads.append(Array(payload))
        return true
      }
    } catch {
      close()
    }
    for payload in payloads where !isClosed { payload.withUnsafeBytes { received($0) } }
  }

  private mutating func answer(isItem: Bool) {
    let id = someID
    var message = ByteBuffer()
    if id == 0 {
      GoingAway(reason: "r", closeAfterMs: 1).encode(into: &message, arena: arena)
    } else {
      message.append(String(repeating: "x", count: choices.below(256) * choices.below(64)))
    }
    if !isItem, choices.below(4) == 0 {
      ResponseEnvelope.append(callID: id, status: .cancelled, to: &wire, arena: arena)
    } else {
      ResponseEnvelope.append(
        callID: id, message: message, isItem: isItem, to: &wire, arena: arena)
    }
    let bytes = Array(wire.readable)
    wire.consume(wire.count)
    bytes.withUnsafeBytes { serverSends($0) }
  }

  private mutating func received(_ payload: UnsafeRawBufferPointer) {
    machine.connected()
    machine.heard(nowNs)
    arena.reset()
    guard let response = try? ResponseEnvelope(payload, arena: arena) else { return close() }
    var itemBytes: Int?
    if case .success(let bytes) = response.result {
      if response.callID == 0 {
        guard GoingAway(notice: bytes, arena: arena) != nil else { return }
        machine.goingAway()
        isGoing = true
        return
      }
      if response.isItem { itemBytes = RPCLimits.windowBytes(of: bytes.count) }
    }
    if response.callID > 0 { judge(response.callID, itemBytes) }
  }

  private mutating func judge(_ id: UInt64, _ itemBytes: Int?) {
    let call = calls[id]
    switch machine.responded(to: id, itemBytes: itemBytes) {
    case .ignore: promise(call == nil, "an answer is lost")
    case .item(let work):
      promise(work == call?.work, "another stream's item")
      promise((call?.credit ?? 0) > 0, "an item beyond the window")
      calls[id]!.credit! -= itemBytes!
    case .complete(let work):
      promise(work == call?.work, "completed twice, or another call")
      promise(itemBytes == nil || call?.credit == nil, "an item ends a stream")
      calls[id] = nil
    case .overrun(let work):
      promise(work == call?.work, "another stream ends")
      promise(itemBytes != nil && (call?.credit ?? 1) <= 0, "the window is not used up")
      calls[id] = nil
      close()
    }
  }

  // MARK: time, and the end

  private mutating func tick() {
    nowMs += UInt64(choices.below(256)) * 100
    let tick = machine.tick(nowNs)
    let late = calls.filter { ($0.value.deadlineMs ?? .max) <= nowMs - min(nowMs, 250) }
    promise(Set(tick.expired) == Set(late.values.map(\.work)), "others are given up")
    promise(tick.expired.count == late.count, "given up twice")
    promise(tick.cancel.count == ((version ?? 1) >= 2 ? late.count : 0), "the server goes on")
    if version == nil { waitToCancel += late.count }
    for id in late.keys { calls[id] = nil }
    promise(tick.close == nil || !isClosed && !calls.isEmpty, "closed though nothing is owed")
    if tick.close != nil { close() }
  }

  private mutating func close() {
    let told = machine.closed("x")
    promise(told.count == (isClosed ? 0 : calls.count), "\(told.count) of \(calls.count) are told")
    promise(Set(told) == Set(calls.values.map(\.work)), "others are told")
    isClosed = true
    calls.removeAll()
    waitToCancel = 0
  }
}
