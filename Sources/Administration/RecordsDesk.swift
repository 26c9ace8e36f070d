import Inventory
import Ledger
import Logging
import Loop
import Projection
import Wire

/// The work behind the calls on the books, on a queue of its own with its own connection to PostgreSQL.
/// It only reads.
actor RecordsDesk {
  private let executor = LoopExecutor(label: "stockworker.records")
  private let settings: Projection.Settings
  private let logger: Logger
  private let identity = Identity()
  private var lists: BookLists?

  nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  init(_ settings: Projection.Settings, logger: Logger) {
    (self.settings, self.logger) = (settings, logger)
  }

  func list(_ wanted: WantedHolds) throws(Status) -> ListHoldsReply {
    var filter = BookLists.HoldFilter()
    (filter.user, filter.sku, filter.status) = (wanted.user, wanted.sku, wanted.status)
    filter.createdFrom = wanted.createdFrom
    if let until = wanted.createdUntil { filter.createdUntil = until }
    let page = try read { (books) throws(PostgresError) in
      try books.holds(filter, after: wanted.after, limit: wanted.limit)
    }
    var reply = ListHoldsReply()
    reply.holds = page.holds.map { record($0) }
    reply.next = page.next.map { "\($0)" } ?? ""
    return reply
  }

  func history(_ wanted: WantedHistory) throws(Status) -> HistoryReply {
    var reply = HistoryReply()
    switch wanted {
    case .hold(let id):
      let (movements, hold) = try read { (books) throws(PostgresError) in
        (try books.movements(of: id), try books.hold(id))
      }
      reply.movements = movements.map { MovementRecord($0) }
      reply.hold = hold.map { record($0) }
    case .sku(let sku, let stockOnly, let after, let limit):
      let place = Movement.Place(after)
      guard place != nil || after.isEmpty else {
        throw .invalid("after", "the 'next' of a page, or nothing")
      }
      let page = try read { (books) throws(PostgresError) in
        try books.movements(of: sku, stockOnly: stockOnly, after: place, limit: limit)
      }
      reply.movements = page.map { MovementRecord($0) }
      if page.count == limit, let last = page.last { reply.next = "\(last.place)" }
    }
    return reply
  }

  private func record(_ hold: BookLists.BookedHold) -> HoldRecord {
    let row = hold.row
    var record = HoldRecord()
    (record.holdID, record.status, record.sku) = (row.id, row.status, row.sku)
    (record.qty, record.userID) = (UInt64(clamping: row.qty), row.user)
    (record.idempotencyKey, record.paymentRef) = (row.key, row.paymentRef)
    record.createdAt = Int64(clamping: row.createdAt)
    record.expiresAt = Int64(clamping: row.expiresAt)
    record.changedAt = Int64(clamping: hold.changedAt)
    record.version = UInt64(clamping: row.version)
    record.streamID = "\(row.stream[0])-\(row.stream[1])"
    if row.status == HoldStatus.confirmed.name, let id = HoldID(row.id) {
      record.orderID = identity.order(of: id)
    }
    return record
  }

  // MARK: the store

  private func read<Result>(
    _ body: (BookLists) throws(PostgresError) -> Result
  ) throws(Status) -> Result {
    do throws(PostgresError) { return try body(try openLists()) } catch {
      lists = nil
      logger.warning("the books cannot be read", metadata: ["reason": "\(error)"])
      throw Status(
        .unavailable, reason: "BOOKS_UNREACHABLE", message: "The books cannot be read now.",
        retryable: true, retryAfterMs: 1_000)
    }
  }

  /// A connection that has just answered: PostgreSQL may have been restarted since the last call.
  private func openLists() throws(PostgresError) -> BookLists {
    if let lists, (try? lists.ping()) != nil { return lists }
    let limits = Postgres.Limits(
      replyMs: min(settings.limits.replyMs, AdministrationLimits.booksMsMax))
    let made = BookLists(
      in: try Postgres(
        settings.database, name: "stockworker \(settings.name) records", limits: limits))
    lists = made
    return made
  }
}

extension MovementRecord {
  fileprivate init(_ movement: Movement) {
    self.init()
    (eventID, cause, sku) = (movement.place.event, movement.cause, movement.sku)
    (holdID, time) = (movement.hold, Int64(clamping: movement.time))
    streamID = "\(movement.place.streamMs)-\(movement.place.streamSequence)"
    deltas = movement.deltas
    if movement.hold.isEmpty {
      let figures = movement.after
      after = Figures(
        available: UInt64(clamping: figures.available), held: UInt64(clamping: figures.held),
        sold: UInt64(clamping: figures.sold), supplied: UInt64(clamping: figures.supplied),
        version: 0)
    }
    (requestID, actor) = (movement.requestID, movement.actor)
    (reason, found) = (movement.reason, movement.found)
  }
}
