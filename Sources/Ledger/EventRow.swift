import Inventory

/// An event on its way into the tables.
struct EventRow {
  /// Its place among the events that were handed in.
  let place: Int
  let id: String
  let event: Event
  let streamID: String
}

/// Why no table could hold an event, though it was decoded.
func unfitness(of event: Event) -> String? {
  let version: UInt64
  var times = [event.time]
  switch event {
  case .hold(_, let hold):
    version = hold.version
    times += [hold.createdAt, hold.expiresAt]
  case .stock(_, let change): version = change.figures.version
  }
  guard version <= UInt64(Int64.max) else { return "the version is out of range" }
  guard times.allSatisfy({ $0 <= Ledger.timeMsMax }) else { return "a time is after the year 9999" }
  return nil
}

/// The effects of some new events, ready for one statement per table.
struct Effects {
  /// The newest state of each hold: one statement must not touch a row twice.
  private(set) var holds: [(hold: Hold, id: String, streamID: String)] = []
  private(set) var orders: [(hold: Hold, id: String, streamID: String)] = []
  private(set) var movements: [(change: StockChange, row: EventRow)] = []

  /// - Parameter rows: sorted by id, so that those of one hold are neighbours, and so that every
  ///   worker locks holds in the same order.
  init(of rows: [EventRow]) {
    for row in rows {
      switch row.event {
      case .hold(let type, let hold): add(type, hold, row)
      case .stock(_, let change): movements.append((change, row))
      }
    }
  }

  private mutating func add(_ type: EventType, _ hold: Hold, _ row: EventRow) {
    if let last = holds.last, last.hold.id == hold.id {
      if hold.version > last.hold.version {
        holds[holds.count - 1] = (hold, last.id, row.streamID)
      }
    } else {
      holds.append((hold, hold.id.description, row.streamID))
    }
    if type == .holdConfirmed { orders.append((hold, holds.last!.id, row.streamID)) }
  }
}
