import CEpoll
import Dispatch
import Glibc

/// One shard's view of the world: an epoll set behind a single Dispatch source, and timers.
///
/// How it works.  The set's own descriptor becomes readable when any descriptor in it is ready.  One
/// Dispatch source watches it; its handler drains the set: each ready descriptor is told, then the
/// work that was put off to the end of the pass is done (one write per connection, one batch to
/// Redis), and so on until nothing is ready.  A source for each connection would cost a wake-up of
/// the queue for each of them: 21 against 8.4 µs of CPU a call at 64 connections.
///
/// When nothing is ready, the handler waits in the set itself before it goes back to Dispatch, which
/// would need two threads to wake it: 47 against 21 µs of CPU a call when one client makes one call
/// after another.  Jobs of the actor are run in between (`LoopExecutor`).
///
/// Everything here, and everything that registers here, lives on the loop's serial queue.  None of
/// it is Sendable: it stays inside the actor whose executor is that queue.
public final class EventLoop {
  private static let eventsPerWait = 256
  /// How long a pass waits for more before it goes back to Dispatch.  Short waits make the kernel set its
  /// clock for each of them: with 1 ms, one call after another cost 9.7 µs instead of 7.6.
  private static let lingerMs: Int32 = 100
  /// How long a pass that rests does not look whether there are jobs, at most.
  private static let restMsMax: Int32 = 1
  /// What the set says of its timer, and of work to be done: no slot has such a number.
  private static let (timerBits, wakeBits) = (UInt64.max, UInt64.max - 1)
  /// How long ready descriptors are told before urgent ones are looked at, and what was put off is
  /// done: a flood from many peers must not keep the shard from Redis.
  private static let sliceNs: UInt64 = 500_000

  private let executor: LoopExecutor
  private let set: Int32
  private let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: eventsPerWait)
  private let source: any DispatchSourceRead
  private let timerDescriptor: Int32
  private var slots: [Slot] = []
  private var freeSlots: [Int] = []
  private var putOff: [any EndOfPass] = []
  private var putOffFirst: [any EndOfPass] = []
  /// What is being done of each.  Their memory is used again: a large allocation has glibc join all small
  /// free blocks, and a pass that made one spent a twentieth of its instructions cutting them up again.
  private var finishing: [any EndOfPass] = []
  private var finishingFirst: [any EndOfPass] = []
  private var urgent: [(token: Token, descriptor: any Descriptor)] = []
  private var restUntil: UInt64 = 0
  private var timers: [Timer] = []
  private var timersMade: UInt64 = 0
  private var looks = Looks(now: monotonicNow())
  private var stopped = false

  /// A place in the set.  The count tells an event of a descriptor that has gone from one of the
  /// descriptor that took its place.
  private struct Slot {
    var descriptor: (any Descriptor)?
    var count: UInt32
  }

  private struct Timer {
    let due: UInt64
    let id: UInt64
    let action: () -> Void
  }

  /// Nanoseconds of CLOCK_MONOTONIC, read once a pass.
  public private(set) var now: UInt64 = monotonicNow()

  /// What is found ready now has been so since then at most, in nanoseconds of CLOCK_MONOTONIC: since
  /// the last look, or earlier when the loop had been away, as a stopped process is.
  public var readableSince: UInt64 { looks.readableSince }

  /// The loop had been away before its last look: what it finds may have waited since `readableSince`.
  public var wasAway: Bool { looks.wasAway }

  /// A descriptor has left something for the next look, which has been there as long.
  public func leaveSome() { looks.leftSome = true }

  /// Reads the clock in the middle of something long.
  public func lookAtClock() { now = monotonicNow() }

  /// A loop on an executor's queue.  Call on that queue, as everything else here.
  /// - Throws: `SystemError` when the system has no descriptors left.
  public init(on executor: LoopExecutor) throws(SystemError) {
    self.executor = executor
    try SystemError.check("eventfd", executor.wakeDescriptor)
    set = try SystemError.check("epoll_create1", stock_epoll_create())
    timerDescriptor = try SystemError.check("timerfd_create", stock_timer_create())
    source = DispatchSource.makeReadSource(fileDescriptor: set, queue: executor.queue)
    _ = stock_epoll_add(set, timerDescriptor, STOCK_READABLE, Self.timerBits)
    _ = stock_epoll_add(set, executor.wakeDescriptor, STOCK_READABLE, Self.wakeBits)
    source.setEventHandler { [weak self] in self?.pass() }
    let (set, timer, events) = (set, timerDescriptor, events)
    source.setCancelHandler {
      close(timer)
      close(set)
      events.deallocate()
    }
    source.activate()
  }

  deinit { if !stopped { source.cancel() } }

  /// Ends the loop.  Descriptors must have been removed by their owners.
  public func stop() {
    guard !stopped else { return }
    stopped = true
    source.cancel()
    timers.removeAll()
    putOff.removeAll()
    putOffFirst.removeAll()
    urgent.removeAll()
    slots.removeAll()
  }

  // MARK: descriptors

  /// Starts watching.  The loop keeps `descriptor` alive until `remove`.
  /// - Returns: the token for `change` and `remove`.
  public func add(
    _ descriptor: any Descriptor, fd: Int32, interest: Interest
  ) throws(SystemError) -> Token {
    let slot = freeSlots.popLast() ?? slots.count
    if slot == slots.count { slots.append(Slot(descriptor: nil, count: 0)) }
    let token = Token(slot: slot, count: slots[slot].count, fd: fd)
    do {
      try SystemError.check("epoll_ctl", stock_epoll_add(set, fd, interest.events, token.bits))
    } catch {
      freeSlots.append(slot)
      throw error
    }
    slots[slot].descriptor = descriptor
    return token
  }

  /// Changes what is waited for.
  public func change(_ token: Token, to interest: Interest) {
    _ = stock_epoll_modify(set, token.fd, interest.events, token.bits)
  }

  /// From now on the descriptor is told in the middle of a long pass, too, that it may be read, whether
  /// or not it is ready.
  public func makeUrgent(_ token: Token) {
    guard let descriptor = slots[token.slot].descriptor else { return }
    urgent.append((token, descriptor))
  }

  /// Stops watching, before the owner closes the descriptor.
  public func remove(_ token: Token) {
    guard slots.indices.contains(token.slot), slots[token.slot].count == token.count else { return }
    _ = stock_epoll_remove(set, token.fd)
    slots[token.slot] = Slot(descriptor: nil, count: token.count &+ 1)
    urgent.removeAll { $0.token.slot == token.slot }
    freeSlots.append(token.slot)
  }

  // MARK: names

  /// Looks the name of a host up elsewhere: the loop does not wait.
  /// - Parameter done: called once, on the loop's queue; before this returns, where `host` is an address.
  public func lookUp(
    _ host: String, port: UInt16, _ done: @escaping (HostLookup.Outcome) -> Void
  ) {
    if let address = InternetAddress(host, port: port) { return done(.success([address])) }
    // It is called on the loop's queue alone, where the executor runs what it is given; the lookup's thread
    // only holds it, and lets go of it.
    nonisolated(unsafe) let done = done
    HostLookup.begin(host, port: port) { [executor] outcome in
      executor.async { done(outcome) }
    }
  }

  // MARK: time and order

  /// Calls `work.endOfPass()` once, when every descriptor that is ready has been told.  Outside a
  /// pass, one is started: not by the timer, which somebody may set for later in the same job.
  /// - Parameter first: before the work of others, so that Redis has its next batch before the answers
  ///   to the last one take their milliseconds.
  public func putOff(_ work: any EndOfPass, first: Bool = false) {
    if first { putOffFirst.append(work) } else { putOff.append(work) }
    if putOff.count + putOffFirst.count == 1 && !inPass {
      stock_eventfd_signal(executor.wakeDescriptor)
    }
  }

  /// Runs `action` once, not before `ms` milliseconds from now.
  /// - Returns: the id for `cancel`.
  @discardableResult
  public func after(ms: UInt64, _ action: @escaping () -> Void) -> UInt64 {
    at(monotonicNow() + ms * 1_000_000, action)
  }

  /// Runs `action` once, not before a point of CLOCK_MONOTONIC, in nanoseconds.
  /// - Returns: the id for `cancel`.
  @discardableResult
  public func at(_ due: UInt64, _ action: @escaping () -> Void) -> UInt64 {
    timersMade += 1
    let place = timers.firstIndex { $0.due > due } ?? timers.count
    timers.insert(Timer(due: due, id: timersMade, action: action), at: place)
    if place == 0 { arm() }
    return timersMade
  }

  /// Takes a timer back; one that has fired is ignored.
  public func cancel(timer id: UInt64) { timers.removeAll { $0.id == id } }

  /// For so long, looks at nothing but timers and the first urgent descriptor.  Whoever has more callers
  /// than work can be done for lets them gather: answering many at once costs a fraction of answering
  /// each.
  public func rest(ms: UInt64) { restUntil = max(restUntil, now + ms * 1_000_000) }

  // MARK: the pass

  private var inPass = false

  private func pass() {
    dispatchPrecondition(condition: .onQueue(executor.queue))
    executor.passBegins()
    inPass = true
    defer {
      inPass = false
      executor.passEnds()
    }
    var isFirst = true
    while !stopped {
      // Jobs may come without end: whatever there was to run, the descriptors are looked at.
      let hadJobs = executor.runJobs()
      if restUntil > now, let first = urgent.first {
        rest(beside: first.token.fd)
      } else if !lookAtAll(waitMs: hadJobs ? 0 : Self.lingerMs, isFirst), !hadJobs {
        break
      }
      isFirst = false
    }
  }

  /// - Parameter isFirst: of this pass: how long the loop rested before, nobody knows.
  /// - Returns: false when nothing has become ready in that time.
  private func lookAtAll(waitMs: Int32, _ isFirst: Bool) -> Bool {
    let count = Int(stock_epoll_wait(set, events, Int32(Self.eventsPerWait), waitMs))
    lookAtClock()
    // A wait that was cut off by SIGCONT has not looked.
    if count >= 0 {
      looks.looked(
        now, due: timers.first?.due, waitedNs: isFirst ? nil : UInt64(waitMs) * 1_000_000,
        isFull: count == Self.eventsPerWait)
    }
    var slice = now + Self.sliceNs
    for place in 0..<max(count, 0) where !stopped {
      tell(events[place])
      guard place + 1 < count, monotonicNow() > slice else { continue }
      lookAtUrgent()
      slice = now + Self.sliceNs
    }
    finish()
    return count > 0
  }

  private func rest(beside fd: Int32) {
    let leftMs = Int32((restUntil - now + 999_999) / 1_000_000)
    let ready = stock_wait_for_either(timerDescriptor, fd, min(leftMs, Self.restMsMax))
    lookAtClock()
    if ready > 0, ready & 1 != 0 { fire() }
    if ready > 0, ready & 2 != 0 {
      for (_, descriptor) in urgent { descriptor.ready(Readiness(events: STOCK_READABLE)) }
    }
    finish()
  }

  /// The middle of a long pass.
  private func lookAtUrgent() {
    lookAtClock()
    for (_, descriptor) in urgent { descriptor.ready(Readiness(events: STOCK_READABLE)) }
    finish()
  }

  private func tell(_ event: epoll_event) {
    let bits = withUnsafePointer(to: event) { stock_event_token($0) }
    guard bits != Self.timerBits else { return fire() }
    guard bits != Self.wakeBits else { return stock_eventfd_drain(executor.wakeDescriptor) }
    let (slot, count) = Token.parts(bits)
    guard slots.indices.contains(slot), slots[slot].count == count,
      let descriptor = slots[slot].descriptor
    else { return }
    descriptor.ready(Readiness(events: event.events))
  }

  private func finish() {
    finishFirst()
    while !putOff.isEmpty {
      swap(&putOff, &finishing)
      for place in finishing.indices {
        finishing[place].endOfPass()
        if !putOffFirst.isEmpty { finishFirst() }
      }
      finishing.removeAll(keepingCapacity: true)
    }
  }

  private func finishFirst() {
    while !putOffFirst.isEmpty {
      swap(&putOffFirst, &finishingFirst)
      for place in finishingFirst.indices { finishingFirst[place].endOfPass() }
      finishingFirst.removeAll(keepingCapacity: true)
    }
  }

  private func fire() {
    stock_timer_drain(timerDescriptor)
    while let first = timers.first, first.due <= now {
      timers.removeFirst()
      first.action()
    }
    arm()
  }

  private func arm() {
    guard let first = timers.first else { return }
    let current = monotonicNow()
    _ = stock_timer_arm(timerDescriptor, first.due > current ? first.due - current : 1)
  }
}

/// Something with a file descriptor.  Its owner closes it, after `EventLoop.remove`.
public protocol Descriptor: AnyObject {
  /// The descriptor can be read or written, or its peer has gone.
  func ready(_ readiness: Readiness)
}

/// Something to do once, at the end of a pass.
public protocol EndOfPass: AnyObject {
  /// Every descriptor that was ready has been told.
  func endOfPass()
}

/// What a descriptor waits for, beside its peer's end.
public enum Interest {
  case read
  case write
  case readAndWrite

  fileprivate var events: UInt32 {
    switch self {
    case .read: STOCK_READABLE
    case .write: STOCK_WRITABLE | EPOLLRDHUP.rawValue
    case .readAndWrite: STOCK_READABLE | STOCK_WRITABLE
    }
  }
}

/// What has become possible.  Errors and hang-ups count as both: the next call tells which it was.
public struct Readiness {
  fileprivate let events: UInt32
  private static let gone = EPOLLERR.rawValue | EPOLLHUP.rawValue

  /// A read will not block.
  public var readable: Bool { events & (STOCK_READABLE | Self.gone) != 0 }
  /// The peer will send nothing more; what it has sent may still be there.
  public var hasEnded: Bool { events & (EPOLLRDHUP.rawValue | Self.gone) != 0 }
  /// A write will not block.
  public var writable: Bool { events & (STOCK_WRITABLE | Self.gone) != 0 }
}

/// Names a watched descriptor.
public struct Token {
  fileprivate let slot: Int
  fileprivate let count: UInt32
  fileprivate let fd: Int32

  fileprivate var bits: UInt64 { UInt64(count) << 32 | UInt64(UInt32(slot)) }

  fileprivate static func parts(_ bits: UInt64) -> (slot: Int, count: UInt32) {
    (Int(UInt32(truncatingIfNeeded: bits)), UInt32(truncatingIfNeeded: bits >> 32))
  }
}

/// Nanoseconds since 1970, of CLOCK_REALTIME: for what another machine says of time.
public func wallNow() -> UInt64 { nanoseconds(of: CLOCK_REALTIME) }

/// Nanoseconds of CLOCK_MONOTONIC.
public func monotonicNow() -> UInt64 { nanoseconds(of: CLOCK_MONOTONIC) }

private func nanoseconds(of clock: clockid_t) -> UInt64 {
  var time = timespec()
  clock_gettime(clock, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
