import HotPath
import Ledger
import Logging
import Loop
import Projection
import Wire

/// The work behind the calls on dead letters, on a queue of its own with its own sessions to both
/// stores.  One call after the other: a replay that is under way is not looked at from beside.
actor DeadLetterDesk {
  private let executor = LoopExecutor(label: "stockworker.dead_letters")
  private let settings: Projection.Settings
  private let logger: Logger
  private var letters: DeadLetters?
  private var discards: Discards?

  nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  init(_ settings: Projection.Settings, logger: Logger) {
    (self.settings, self.logger) = (settings, logger)
  }

  // MARK: reading

  func list(_ request: ListDeadLettersRequest) throws(Status) -> ListDeadLettersReply {
    var place = try placeOf(request.after, "after")
    let letters = try openLetters()
    var reply = ListDeadLettersReply()
    do throws(StreamFault) {
      reply.total = try letters.count()
      var bytes = 0
      for _ in 0..<AdministrationLimits.listPagesMax {
        let page = try letters.page(after: place, limit: AdministrationLimits.pageLetters)
        for record in page.records where request.filter.lets(record) {
          reply.letters.append(DeadLetterInfo(record))
          bytes += record.letter.reason.utf8.count + record.letter.id.utf8.count
          if reply.letters.count == request.limit || bytes > AdministrationLimits.listBytesMax {
            reply.next = "\(record.place)"
            return reply
          }
        }
        guard let last = page.last else { return reply }
        place = last
      }
      reply.next = place.map { "\($0)" } ?? ""
      return reply
    } catch {
      throw failed(error)
    }
  }

  func show(_ request: ShowDeadLetterRequest) throws(Status) -> ShowDeadLetterReply {
    let letters = try openLetters()
    let found: DeadLetters.Record?
    do throws(StreamFault) { found = try letters.show(request.eventID) } catch {
      throw failed(error)
    }
    guard let found else {
      throw Status(
        .notFound, reason: "UNKNOWN_LETTER", message: "There is no dead letter of this event.",
        field: "event_id")
    }
    return ShowDeadLetterReply(letter: DeadLetterInfo(found), event: found.letter.bytes)
  }

  // MARK: replaying

  /// - Parameter deadline: nanoseconds of CLOCK_MONOTONIC; a replay of all that match stops in time.
  func replay(
    _ request: ReplayDeadLettersRequest, deadline: UInt64
  ) throws(Status) -> ReplayDeadLettersReply {
    let letters = try openLetters()
    var reply = ReplayDeadLettersReply()
    if request.eventIDs.isEmpty {
      try replayMatching(request, deadline, letters, &reply)
    } else {
      for id in request.eventIDs {
        if try replay(id, letters, after: reply.replayed) {
          reply.replayed += 1
        } else {
          reply.unknown.append(id)
        }
      }
    }
    if reply.replayed > 0 {
      logger.notice("dead letters replayed", metadata: ["count": "\(reply.replayed)"])
    }
    return reply
  }

  private func replayMatching(
    _ request: ReplayDeadLettersRequest, _ deadline: UInt64, _ letters: DeadLetters,
    _ reply: inout ReplayDeadLettersReply
  ) throws(Status) {
    var place = try placeOf(request.after, "after")
    var until = try placeOf(request.until, "until")
    if until == nil {
      do throws(StreamFault) { until = try letters.newest() } catch { throw failed(error) }
    }
    guard let until else { return }
    reply.until = "\(until)"
    while reply.replayed < AdministrationLimits.replayLettersMax,
      monotonicNow() + AdministrationLimits.replayMarginMs * 1_000_000 < deadline
    {
      let page: DeadLetters.Page
      do throws(StreamFault) {
        page = try letters.page(after: place, limit: AdministrationLimits.pageLetters)
      } catch {
        throw failed(error, changing: reply.replayed > 0)
      }
      for record in page.records where record.place <= until && request.filter.lets(record) {
        if try replay(record.letter.id, letters, after: reply.replayed) { reply.replayed += 1 }
      }
      guard let last = page.last, last < until else { return }
      place = last
    }
    reply.next = place.map { "\($0)" } ?? "0-0"
  }

  /// - Parameter done: how many this call has replayed before.
  private func replay(
    _ id: String, _ letters: DeadLetters, after done: Int
  ) throws(Status) -> Bool {
    do throws(StreamFault) { return try letters.replay(id) != nil } catch {
      throw failed(error, changing: done > 0 || !error.isRefusedAtOnce)
    }
  }

  // MARK: discarding

  /// The books remember first: a letter never goes without a trace.
  func discard(
    _ request: DiscardDeadLettersRequest, peer: String
  ) throws(Status) -> DiscardDeadLettersReply {
    let letters = try openLetters()
    var reply = DiscardDeadLettersReply()
    var found: [DeadLetters.Record] = []
    do throws(StreamFault) {
      for id in request.eventIDs {
        if let record = try letters.show(id) {
          found.append(record)
        } else {
          reply.unknown.append(id)
        }
      }
    } catch {
      throw failed(error)
    }
    guard !found.isEmpty else { return reply }
    try remember(found, request, peer)
    do throws(StreamFault) {
      for record in found where try letters.discard(record.letter.id) { reply.discarded += 1 }
    } catch {
      throw failed(error, changing: reply.discarded > 0 || !error.isRefusedAtOnce)
    }
    for record in found {
      logger.notice(
        "a dead letter is discarded",
        metadata: [
          "event": "\(record.letter.id)", "actor": "\(request.actor)", "peer": "\(peer)",
          "reason": "\(request.reason)",
        ])
    }
    return reply
  }

  private func remember(
    _ found: [DeadLetters.Record], _ request: DiscardDeadLettersRequest, _ peer: String
  ) throws(Status) {
    do {
      try openDiscards().remember(
        found.map {
          Discards.Letter(
            eventID: $0.letter.id, place: "\($0.place)", eventType: $0.letter.type,
            event: $0.letter.bytes, deadReason: $0.letter.reason, attempts: $0.letter.attempts)
        }, actor: request.actor, peer: peer, reason: request.reason)
    } catch {
      discards = nil
      logger.warning(
        "the books cannot remember discarded letters", metadata: ["reason": "\(error)"])
      throw Status(
        .unavailable, reason: "BOOKS_UNREACHABLE",
        message: "The books cannot be reached; no letter was discarded.", retryable: true,
        retryAfterMs: 1_000)
    }
  }

  // MARK: the stores

  /// A session that has just answered: Redis may have been restarted since the last call.
  private func openLetters() throws(Status) -> DeadLetters {
    if let letters, (try? letters.count()) != nil { return letters }
    do throws(StreamFault) {
      let made = try DeadLetters(at: settings.redis, keys: settings.keys)
      letters = made
      return made
    } catch {
      throw failed(error)
    }
  }

  private func openDiscards() throws -> Discards {
    if let discards, (try? discards.ping()) != nil { return discards }
    let limits = Postgres.Limits(
      replyMs: min(settings.limits.replyMs, AdministrationLimits.booksMsMax))
    let made = Discards(
      in: try Postgres(
        settings.database, name: "stockworker \(settings.name) desk", limits: limits))
    discards = made
    return made
  }

  /// - Parameter changing: whether what was asked for may have happened.
  private func failed(_ fault: StreamFault, changing: Bool = false) -> Status {
    if case .lost = fault { letters = nil }
    logger.warning("dead letters cannot be reached", metadata: ["reason": "\(fault)"])
    guard case .lost = fault else {
      return Status(
        .internal, reason: "STORE_FAILED",
        message: "The stock store answered in a way that this worker does not expect.",
        outcomeUnknown: changing)
    }
    return Status(
      .unavailable, reason: "STORE_UNREACHABLE", message: "The stock store cannot be reached.",
      retryable: true, retryAfterMs: 250, outcomeUnknown: changing)
  }

  /// nil: empty.
  private func placeOf(_ text: String, _ field: String) throws(Status) -> StreamID? {
    guard !text.isEmpty else { return nil }
    guard let place = StreamID(text) else { throw .invalid(field, "the place of a letter") }
    return place
  }
}

extension DeadLetterFilter {
  fileprivate func lets(_ record: DeadLetters.Record) -> Bool {
    (reason.isEmpty || record.letter.reason.contains(reason))
      && (eventType.isEmpty || record.letter.type.contains(eventType))
  }
}

extension DeadLetterInfo {
  fileprivate init(_ record: DeadLetters.Record) {
    self.init()
    let letter = record.letter
    (eventID, eventType, reason) = (letter.id, letter.type, letter.reason)
    (attempts, index) = (letter.attempts, letter.index)
    (firstAt, lastAt) = (Int64(clamping: letter.firstMs), Int64(clamping: letter.lastMs))
    (entry, place) = (record.entry, "\(record.place)")
  }
}
