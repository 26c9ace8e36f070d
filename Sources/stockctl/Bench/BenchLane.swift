import FoundationEssentials
import Inventory
import Loop
import RPC
import Wire

/// Makes the calls of a run, on one queue.
///
/// A closed loop keeps a fixed number of calls in flight on each connection: it measures how much the
/// server does, and slows down with it.  An open loop makes a call when its time has come, whether or
/// not earlier ones were answered, as buyers do; each latency counts from the moment at which the call
/// was meant to be made.  A server that stalls for a second is thus seen by all who came in that second
/// (https://www.scylladb.com/2021/04/22/on-coordinated-omission/).
actor BenchLane {
  private let executor = LoopExecutor(label: "stockctl.bench")
  private let plan: BenchPlan
  private let run = UInt64.random(in: .min ... .max)
  private let zipf: Zipf
  private var numbers: SeededNumbers

  private var loop: EventLoop!
  private var open: [ClientConnection] = []
  private var result = BenchResult()
  private var progress: Progress?
  private var calls: UInt64 = 0
  private var end: UInt64 = 0
  private var inFlight = 0
  private var arrivals: Arrivals?
  private var isPacing = false
  private var turn = 0
  private var finished: CheckedContinuation<Void, Never>?
  /// When the holds of a storm end, in milliseconds since 1970.
  private var stormAt: UInt64 = 0

  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  init(_ plan: BenchPlan) {
    self.plan = plan
    zipf = Zipf(count: plan.skus.count, exponent: plan.zipfExponent)
    numbers = SeededNumbers(seed: plan.seed)
  }

  /// One call's worth of work, from when it was meant to begin.
  private struct Work {
    let intended: UInt64
    /// The connection that a closed loop goes on with.
    let place: Int
  }

  func run(against address: Address, progress: Progress) async throws -> BenchResult {
    loop = try EventLoop(on: executor)
    self.progress = progress
    for _ in 0..<plan.connections { open.append(try ClientConnection(to: address, on: loop)) }
    let start = monotonicNow()
    end = start + UInt64(plan.seconds * 1_000_000_000)
    stormAt = Self.clockMs + UInt64(plan.seconds * 1_000) + Limits.holdMsMin
    await withCheckedContinuation { continuation in
      finished = continuation
      if let rate = plan.rate {
        arrivals = Arrivals(perSecond: rate, from: start, &numbers)
        pace()
      } else {
        for place in open.indices {
          for _ in 0..<plan.outstanding { begin(Work(intended: monotonicNow(), place: place)) }
        }
      }
    }
    result.elapsed = Double(monotonicNow() - start) / 1_000_000_000
    if plan.scenario == .storm { await watchStorm() }
    for connection in open { connection.close() }
    loop.stop()
    return result
  }

  /// Begins no more calls; what is in flight is still counted.
  func stop() { end = min(end, monotonicNow()) }

  // MARK: pacing

  /// Makes the calls whose time has come, and comes back for the next.
  private func pace() {
    isPacing = false
    guard var coming = arrivals else { return }
    let now = monotonicNow()
    while coming.next <= now, coming.next < end, inFlight < BenchPlan.openInFlightMax,
      let place = nextPlace()
    {
      result.lateness.record(now - coming.next)
      begin(Work(intended: coming.next, place: place))
      coming.advance(&numbers)
    }
    arrivals = coming
    let isAlone = nextPlace() == nil
    if isAlone, coming.next < end { result.fail(Self.serverWentAway) }
    guard !isAlone, coming.next < end, now < end + UInt64(BenchPlan.timeoutMs) * 1_000_000 else {
      while nextPlace() != nil, arrivals!.next < end {
        result.unsent += 1
        arrivals!.advance(&numbers)
      }
      arrivals = nil
      return finishIfDone()
    }
    guard inFlight < BenchPlan.openInFlightMax else { return }
    isPacing = true
    loop.at(coming.next) { self.assumeIsolated { $0.pace() } }
  }

  /// A connection that still takes calls, each in its turn; nil: there is none left.
  private func nextPlace() -> Int? {
    for _ in open.indices {
      turn = (turn + 1) % open.count
      if open[turn].takesCalls { return turn }
    }
    return nil
  }

  private func next(after work: Work) {
    inFlight -= 1
    if plan.rate != nil {
      if !isPacing { pace() }
      return finishIfDone()
    }
    let now = monotonicNow()
    guard now < end else { return finishIfDone() }
    if open[work.place].takesCalls {
      return begin(Work(intended: now, place: work.place))
    }
    // Where the connection has ended, the call that was on it has failed and says why.
    if open[work.place].closedReason == nil { result.fail(Self.serverWentAway) }
    finishIfDone()
  }

  private func finishIfDone() {
    guard inFlight == 0, arrivals == nil else { return }
    finished?.resume()
    finished = nil
  }

  // MARK: calls

  private func begin(_ work: Work) {
    inFlight += 1
    if plan.batch == 0 {
      var request = nextReserve()
      request.acknowledge = plan.acknowledge
      send(request, work) { lane, answer in lane.reserved([answer], work) }
    } else {
      let request = BatchReserveRequest(
        items: (0..<plan.batch).map { _ in nextReserve() }, acknowledge: plan.acknowledge)
      send(request, work) { lane, answer in
        switch answer {
        case .success(let reply): lane.reserved(reply.results, work)
        case .failure(let status): lane.reserved([.failure(status)], work)
        }
      }
    }
  }

  private func nextReserve() -> ReserveRequest {
    calls += 1
    let user = "user-\(String(1_000_000_000 + calls))-bench"
    let key = String(run, radix: 16) + "-bench-key-" + String(1_000_000_000 + calls)
    let place = plan.skus.count > 1 ? zipf.place(at: numbers.share()) : 0
    var request = ReserveRequest(sku: plan.skus[place], qty: 1, userID: user, idempotencyKey: key)
    if plan.scenario == .storm {
      request.ttlMs = max(stormAt, Self.clockMs + Limits.holdMsMin) - Self.clockMs
    }
    return request
  }

  private func send<Request: RequestMessage & Sendable>(
    _ request: Request, _ work: Work,
    _ answered: @escaping @Sendable (isolated BenchLane, Result<Request.Reply, Status>) -> Void
  ) {
    open[work.place].call(request, timeoutMs: BenchPlan.timeoutMs) { answer in
      // The loop calls back on its own queue, which is this actor's executor.
      self.assumeIsolated { answered($0, answer) }
    }
  }

  private func reserved(_ answers: [Result<ReserveReply, Status>], _ work: Work) {
    var (held, pauseMs, hold) = (0, UInt64(0), "")
    for answer in answers {
      switch answer {
      case .success(let reply) where reply.outcome == .held:
        held += 1
        hold = reply.holdID
        if let level = reply.acknowledged, level < plan.acknowledge ?? level {
          result.lessDurable += 1
        }
      case .success(let reply) where reply.outcome == .soldOut: result.soldOut += 1
      case .success(let reply): result.fail("\(reply.outcome?.name ?? "UNSPECIFIED")")
      case .failure(let status) where status.reason == "OVERLOADED":
        result.overloaded += 1
        pauseMs = UInt64(status.retryAfterMs)
      case .failure(let status): result.fail("\(status)")
      }
    }
    result.held += held
    if result.held % 256 < held { progress?.note("held \(result.held.grouped)") }
    if pauseMs > 0, plan.rate == nil {
      loop.after(ms: pauseMs) { self.assumeIsolated { $0.next(after: work) } }
      return
    }
    let took = monotonicNow() - work.intended
    if held > 0 { result.reserving.record(took) } else if pauseMs == 0 { reject(answers, took) }
    guard plan.scenario == .life, held > 0 else { return next(after: work) }
    endLife(of: hold, work)
  }

  private func reject(_ answers: [Result<ReserveReply, Status>], _ took: UInt64) {
    if case .success? = answers.first { result.rejecting.record(took) }
  }

  // MARK: scenarios

  private func endLife(of hold: String, _ work: Work) {
    let began = monotonicNow()
    let isConfirmed = numbers.share() < plan.confirmShare
    let answered: @Sendable (isolated BenchLane, Result<HoldReply, Status>) -> Void = {
      lane, answer in
      switch answer {
      case .success(let reply) where reply.outcome == .confirmed: lane.result.confirmed += 1
      case .success(let reply) where reply.outcome == .cancelled: lane.result.cancelled += 1
      case .success(let reply): lane.result.fail("\(reply.outcome?.name ?? "UNSPECIFIED")")
      case .failure(let status): lane.result.fail("\(status)")
      }
      if case .success = answer {
        let now = monotonicNow()
        lane.result.ending.record(now - began)
        lane.result.living.record(now - work.intended)
      }
      lane.next(after: work)
    }
    if isConfirmed {
      send(
        ConfirmRequest(holdID: hold, paymentRef: "bench", acknowledge: plan.acknowledge), work,
        answered)
    } else {
      send(CancelRequest(holdID: hold, acknowledge: plan.acknowledge), work, answered)
    }
  }

  /// Waits until every unit is back, looking at the SKU all the time as another buyer would.
  private func watchStorm() async {
    let givesUpAt = stormAt + 60_000
    result.expired = UInt64(result.held)
    progress?.note("waiting for \(result.held.counted("hold")) to expire")
    while Self.clockMs < givesUpAt {
      let asked = monotonicNow()
      let answer = await withCheckedContinuation { continuation in
        send(GetStockRequest(sku: plan.skus[0]), Work(intended: asked, place: 0)) { _, answer in
          continuation.resume(returning: answer)
        }
      }
      let clock = Self.clockMs
      switch answer {
      case .success(let reply):
        if clock >= stormAt { result.looking.record(monotonicNow() - asked) }
        if reply.stock?.figures.held == 0 {
          result.backAfterMs = clock > stormAt ? clock - stormAt : 0
          return
        }
      case .failure(let status): return result.fail("\(status)")
      }
      try? await Task.sleep(for: .milliseconds(5))
    }
  }

  private static let serverWentAway = "the server went away: nothing more was asked of it"
  private static var clockMs: UInt64 { UInt64(Date().timeIntervalSince1970 * 1_000) }
}
