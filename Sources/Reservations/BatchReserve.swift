import HotPath
import Inventory
import RPC
import Wire

extension Sale {
  /// Takes units for many holds that have nothing to do with each other.  Each is an operation by
  /// itself, in as many script calls as it takes, and other connections have their turn in between.
  func batchReserve(_ call: Call) throws(Status) {
    let asked = try decoder.batchReserve(call.message, trace: call.trace) { batch.lookAtStore() }
    let promise = try acknowledging.promise(asked.level)
    let answers = BatchAnswers(asked.value)
    let reservations = answers.open
    guard !reservations.isEmpty else { return call.reply(answers.reply) }
    let ticket: Batch.Ticket
    do throws(StoreFault) {
      ticket = try batch.submit(
        all: reservations.map { .reserve($0.reservation) }, deadline: call.deadline,
        source: call.source
      ) { [self] index, result in
        let (place, reservation) = reservations[index]
        func answer(_ reached: Acknowledgement?) {
          answers.answer(
            place, with: self.result(of: result, for: reservation, reached, in: answers))
          if answers.isComplete { call.reply(answers.reply) }
        }
        guard case .success(let done) = result, !acknowledging.isKept(promise) else {
          return answer(nil)
        }
        acknowledging.keep(promise, of: done, by: call.deadline) { answer($0) }
      }
    } catch {
      throw Status(error, absence: store.absence)
    }
    call.whenCancelled { [batch] in batch.withdraw(ticket) }
  }

  private func result(
    of result: Result<Answer, StoreFault>, for reservation: Reservation,
    _ reached: Acknowledgement?, in answers: BatchAnswers
  ) -> Result<ReserveReply, Status> {
    do throws(Status) {
      switch result {
      case .failure(let fault): throw Status(fault, absence: store.absence)
      case .success(let answer):
        let known =
          answer.outcome == .stockMismatch && !answers.closed.insert(reservation.sku).inserted
        return .success(
          try reserveReply(answer, reservation, reached, isKnownMismatch: known))
      }
    } catch {
      return .failure(error)
    }
  }
}

/// The results of one batch while they come in.
private final class BatchAnswers {
  /// The items that can be tried, with their places.
  let open: [(place: Int, reservation: Reservation)]
  /// SKUs that were found closed: one line in the log for each.
  var closed: Set<SKU> = []
  private var results: [Result<ReserveReply, Status>?]
  private var missing: Int

  init(_ items: [Result<Reservation, Status>]) {
    results = items.map { item in
      if case .failure(let status) = item { .failure(status) } else { nil }
    }
    open = items.enumerated().compactMap { place, item in
      if case .success(let reservation) = item { (place, reservation) } else { nil }
    }
    missing = open.count
  }

  var isComplete: Bool { missing == 0 }

  func answer(_ place: Int, with result: Result<ReserveReply, Status>) {
    precondition(results[place] == nil, "an item was answered twice")
    results[place] = result.mapError { status in
      var status = status
      if !status.field.isEmpty { status.field = "items[\(place)].\(status.field)" }
      return status
    }
    missing -= 1
  }

  var reply: BatchReserveReply {
    BatchReserveReply(results: results.map { $0! })
  }
}
