import FoundationEssentials
import Inventory
import Loop
import RPC
import Wire

/// What a run has counted.
struct BenchResult: Sendable {
  var held = 0
  var soldOut = 0
  /// Told to come back later, and repeated then.
  var overloaded = 0
  /// Held, but less durable than was asked for.
  var lessDurable = 0
  var failures = 0
  var elapsed = 0.0
  /// Microseconds, sorted.
  var latencies: [UInt32] = []
  /// The first failure, to be shown.
  var firstFailure: String?

  var fields: Output.Fields {
    func at(_ share: Double) -> Double {
      guard !latencies.isEmpty else { return 0 }
      let place = min(Int(Double(latencies.count) * share), latencies.count - 1)
      return Double(latencies[place]) / 1_000
    }
    var fields: Output.Fields = [
      ("reserves_per_second", .number(Int64(Double(held) / elapsed))),
      ("held", .number(Int64(held))),
      ("sold_out", .number(Int64(soldOut))), ("overloaded", .number(Int64(overloaded))),
      ("less_durable", .number(Int64(lessDurable))), ("failures", .number(Int64(failures))),
      ("seconds", .real((elapsed * 100).rounded() / 100)), ("p50_ms", .real(at(0.5))),
      ("p99_ms", .real(at(0.99))), ("p999_ms", .real(at(0.999))),
    ]
    if let firstFailure { fields.append(("first_failure", .text(firstFailure))) }
    return fields
  }
}

/// A closed loop on one queue: each connection keeps a fixed number of calls in flight.
actor BenchLane {
  private let executor = LoopExecutor(label: "stockctl.bench")
  private let sku: String
  private let connections: Int
  private let outstanding: Int
  /// Reserves in one call; 0: each by itself, with Reserve.
  private let batch: Int
  private let seconds: Double
  private let acknowledge: Acknowledgement?
  private let run = UInt64.random(in: .min ... .max)

  private var loop: EventLoop!
  private var open: [ClientConnection] = []
  private var result = BenchResult()
  private var calls: UInt64 = 0
  private var end: UInt64 = 0
  private var inFlight = 0
  private var finished: CheckedContinuation<Void, Never>?

  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  init(
    sku: String, connections: Int, outstanding: Int, batch: Int, seconds: Double,
    acknowledge: Acknowledgement?
  ) {
    self.sku = sku
    self.connections = connections
    self.outstanding = outstanding
    self.batch = batch
    self.seconds = seconds
    self.acknowledge = acknowledge
  }

  func run(against address: Address) async throws -> BenchResult {
    loop = try EventLoop(on: executor.queue)
    for _ in 0..<connections { open.append(try ClientConnection(to: address, on: loop)) }
    let start = monotonicNow()
    end = start + UInt64(seconds * 1_000_000_000)
    await withCheckedContinuation { continuation in
      finished = continuation
      for place in open.indices {
        for _ in 0..<outstanding { call(on: place) }
      }
    }
    result.elapsed = Double(monotonicNow() - start) / 1_000_000_000
    for connection in open { connection.close() }
    loop.stop()
    result.latencies.sort()
    return result
  }

  private func call(on place: Int) {
    if batch == 0 {
      var request = nextReserve()
      request.acknowledge = acknowledge
      send(request, on: place) { [$0] }
    } else {
      let request = BatchReserveRequest(
        items: (0..<batch).map { _ in nextReserve() }, acknowledge: acknowledge)
      send(request, on: place) { answer in
        switch answer {
        case .success(let reply): reply.results
        case .failure(let status): [.failure(status)]
        }
      }
    }
  }

  private func nextReserve() -> ReserveRequest {
    calls += 1
    let user = "user-\(String(1_000_000_000 + calls))-bench"
    let key = String(run, radix: 16) + "-bench-key-" + String(1_000_000_000 + calls)
    return ReserveRequest(sku: sku, qty: 1, userID: user, idempotencyKey: key)
  }

  private func send<Request: RequestMessage & Sendable>(
    _ request: Request, on place: Int,
    _ results:
      @escaping @Sendable (Result<Request.Reply, Status>) -> [Result<ReserveReply, Status>]
  ) {
    inFlight += 1
    let started = monotonicNow()
    open[place].call(request, timeoutMs: 10_000) { answer in
      // The loop calls back on its own queue, which is this actor's executor.
      self.assumeIsolated { $0.answered(results(answer), on: place, started: started) }
    }
  }

  private func answered(
    _ answers: [Result<ReserveReply, Status>], on place: Int, started: UInt64
  ) {
    inFlight -= 1
    var pauseMs: UInt64 = 0
    for answer in answers {
      switch answer {
      case .success(let reply) where reply.outcome == .held:
        result.held += 1
        if let level = reply.acknowledged, level < acknowledge ?? level { result.lessDurable += 1 }
      case .success(let reply) where reply.outcome == .soldOut: result.soldOut += 1
      case .success(let reply): fail("\(String(describing: reply.outcome))")
      case .failure(let status) where status.reason == "OVERLOADED":
        result.overloaded += 1
        pauseMs = UInt64(status.retryAfterMs)
      case .failure(let status): fail("\(status)")
      }
    }
    guard pauseMs == 0 else {
      inFlight += 1
      loop.after(ms: pauseMs) { self.assumeIsolated { $0.next(on: place, afterPause: true) } }
      return
    }
    result.latencies.append(UInt32(clamping: (monotonicNow() - started) / 1_000))
    next(on: place)
  }

  private func next(on place: Int, afterPause: Bool = false) {
    if afterPause { inFlight -= 1 }
    if monotonicNow() < end, open[place].closedReason == nil {
      call(on: place)
    } else if inFlight == 0 {
      finished?.resume()
      finished = nil
    }
  }

  private func fail(_ reason: String) {
    result.failures += 1
    if result.firstFailure == nil { result.firstFailure = reason }
  }
}
