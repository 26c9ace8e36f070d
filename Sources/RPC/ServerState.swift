public import Wire

extension Server {
  /// The connections with most calls in flight, and of those the oldest.
  /// - Parameter max: how many at most.
  public func connectionStates(max: Int) -> [ConnectionState] {
    var busy = connections.values.map { (calls: $0.callsInFlight, number: $0.number) }
    if busy.count > max {
      busy.sort { ($1.calls, $0.number) < ($0.calls, $1.number) }
      busy.removeLast(busy.count - max)
    }
    return busy.compactMap { connections[$0.number]?.state }
      .sorted { ($1.callsInFlight, $0.number) < ($0.callsInFlight, $1.number) }
  }
}
