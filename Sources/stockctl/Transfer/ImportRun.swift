import ArgumentParser
import Inventory
import RPC
import Wire

/// Makes the calls of an import: a bounded number at a time, until all are made, the server is gone, or
/// somebody interrupts.
struct ImportRun {
  /// What has become of the rows that were begun.
  struct Tally {
    /// Done now.
    var done = 0
    /// Done by an earlier run of the same import.
    var doneBefore = 0
    /// May have been done.
    var unknown = 0
    /// Refused by the server, each for itself.
    var faults: [RowFault] = []
    /// Why it has ended before its end; nil: it has not.
    var stopped: Status?
    /// Rows that were not begun, or not done though begun.
    var left = 0
  }

  /// What a row would change.
  struct Change {
    let row: StockRow
    /// Units available now; nil: nobody has set stock for the SKU.
    let now: UInt64?

    /// Units available afterwards; nil: the server will refuse it.
    var then: UInt64? {
      switch row.order {
      case .set(let available): return available
      case .adjust(let delta):
        guard let now = now.map({ Int64(clamping: $0) }), now + delta >= 0 else { return nil }
        return UInt64(now + delta)
      }
    }

    var kind: String {
      then == nil ? "REFUSED" : now == nil ? "NEW" : now == then ? "SAME" : "CHANGED"
    }

    var fields: Output.Fields {
      [
        ("line", .number(row.line)), ("sku", .text(row.sku.text)),
        ("available_now", now.map { .number($0) } ?? .none),
        ("available_then", then.map { .number($0) } ?? .none),
        ("change", .text(kind)),
      ]
    }
  }

  /// Calls in flight at a time.
  static let inFlightMax = 1_024
  static let inFlightDefault = 64

  let client: StockClient
  let timeoutMs: UInt32
  let inFlight: Int
  /// What all request ids of the import begin with.
  let name: String
  /// Why, and who, for the books.
  let reason: String
  let actor: String

  /// Looks up what each row would change.
  /// - Throws: `Status`
  func plan(_ rows: [StockRow]) async throws -> [Change] {
    let progress = Progress("looking up", .items(rows.count))
    defer { progress.finish() }
    var changes: [Change] = []
    changes.reserveCapacity(rows.count)
    let (client, timeoutMs) = (client, timeoutMs)
    try await Window(inFlight).run(rows) { row in
      await outcome { () throws(Status) in
        try await client.call(GetStockRequest(sku: row.sku.text), timeoutMs: timeoutMs)
      }
    } take: { row, answer in
      progress.advance()
      switch answer {
      case .success(let reply):
        changes.append(Change(row: row, now: reply.stock?.figures.available))
      case .failure(let status) where status.reason == "STOCK_MISMATCH":
        // The call itself will say so, as the row's own fault.
        changes.append(Change(row: row, now: nil))
      case .failure(let status): throw status
      }
      return true
    }
    return changes.sorted { $0.row.line < $1.row.line }
  }

  /// Does the rows.
  /// - Parameter isWanted: false: begin no more.
  func carryOut(
    _ rows: [StockRow], while isWanted: @escaping () -> Bool
  ) async -> Tally {
    let progress = Progress("importing", .items(rows.count))
    defer { progress.finish() }
    var tally = Tally()
    var answered = 0
    let (client, timeoutMs, name) = (client, timeoutMs, name)
    let (reason, actor) = (reason, actor)
    try? await Window(inFlight).run(rows) { row in
      await outcome { () throws(Status) in
        switch row.order {
        case .set(let available):
          try await client.call(
            SetStockRequest(
              sku: row.sku.text, available: available, requestID: "\(name)-\(row.line)",
              reason: reason, actor: actor), timeoutMs: timeoutMs)
        case .adjust(let delta):
          try await client.call(
            AdjustStockRequest(
              sku: row.sku.text, delta: delta, requestID: "\(name)-\(row.line)", reason: reason,
              actor: actor), timeoutMs: timeoutMs)
        }
      }
    } take: { row, answer in
      progress.advance()
      answered += 1
      tally.take(row, answer)
      if !tally.faults.isEmpty || tally.unknown > 0 {
        progress.note("\(tally.faults.count + tally.unknown) refused")
      }
      return tally.stopped == nil && isWanted()
    }
    tally.left += rows.count - answered
    return tally
  }
}

extension ImportRun.Tally {
  fileprivate mutating func take(_ row: StockRow, _ answer: Result<StockReply, Status>) {
    switch answer {
    case .success(let reply):
      switch reply.outcome {
      case .repeated: doneBefore += 1
      case nil:
        unknown += 1
        stopped = .newerServer
      default:
        if ExitReason(reply.outcome) == .done { return done += 1 }
        let name = reply.outcome?.name ?? ""
        faults.append(RowFault(line: row.line, reason: name, "the server answers \(name)"))
      }
    case .failure(let status) where status.isOfOneRow:
      faults.append(
        RowFault(
          line: row.line, column: status.field, reason: status.reason, status.message.onOneLine))
    case .failure(let status):
      if status.outcomeUnknown { unknown += 1 } else { left += 1 }
      if stopped == nil { stopped = status }
    }
  }
}

extension Status {
  /// Whether another row may fare better.
  fileprivate var isOfOneRow: Bool {
    guard !outcomeUnknown else { return false }
    switch code {
    case .invalidArgument, .alreadyExists, .outOfRange, .notFound: return true
    // What else must be put right first is no SKU's own: Redis's settings, the versions.
    case .failedPrecondition: return reason == "STOCK_MISMATCH"
    default: return false
    }
  }

  fileprivate static let newerServer = Status(
    .unimplemented, reason: "UNSPECIFIED",
    message: "The server answers with an outcome that this version does not know.")
}

/// What a call came to.
private func outcome<Reply>(_ call: () async throws(Status) -> Reply) async -> Result<Reply, Status>
{
  do throws(Status) { return .success(try await call()) } catch { return .failure(error) }
}

/// Works on many things, some at a time.
struct Window {
  private let size: Int

  init(_ size: Int) { self.size = size }

  /// - Parameters:
  ///   - work: done for each thing.
  ///   - take: hears of each, in the order in which they are finished.  False: no more is begun, and
  ///     what has been begun is still heard of.
  func run<Thing: Sendable, Answer: Sendable>(
    _ things: [Thing], _ work: @escaping @Sendable (Thing) async -> Answer,
    take: (Thing, Answer) throws -> Bool
  ) async throws {
    try await withThrowingTaskGroup(of: (Thing, Answer).self) { group in
      var rest = things[...]
      func begin() {
        guard let thing = rest.popFirst() else { return }
        group.addTask { (thing, await work(thing)) }
      }
      for _ in 0..<size { begin() }
      while let (thing, answer) = try await group.next() {
        if try take(thing, answer) { begin() } else { rest = [] }
      }
    }
  }
}
