public import Wire

/// Counts calls by method: how they ended, and how long they took.  Lives on the loop's queue.
public final class CallCounts: CallObserver {
  private struct Method {
    var failures = [UInt64](repeating: 0, count: Code.allCases.count)
    var times = LatencyHistogram()
  }

  private let names: [String]
  private var methods: [Method]

  /// Counts for these methods, in the order of their numbers.
  public init(of methods: MethodTable) {
    names = methods.names
    self.methods = names.map { _ in Method() }
  }

  /// See `CallObserver`.
  public func ended(_ call: CallRecord, _ status: Status?, now: UInt64) {
    methods[call.methodNumber].times.add(now &- call.beganAt)
    if let code = status?.code { methods[call.methodNumber].failures[Int(code.rawValue)] &+= 1 }
  }

  /// The counts of every method, called or not.
  public var state: [MethodState] {
    zip(names, methods).map { name, method in
      var state = MethodState()
      state.method = name
      state.calls = method.times.count
      state.failures = Code.allCases.compactMap { code in
        let count = method.failures[Int(code.rawValue)]
        return count > 0 ? FailureCount(code: code, count: count) : nil
      }
      state.p50Ns = method.times.quantile(0.5)
      state.p99Ns = method.times.quantile(0.99)
      state.maxNs = method.times.longest
      return state
    }
  }
}
