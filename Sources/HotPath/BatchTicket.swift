import Inventory

extension Batch {
  /// An operation from the moment when it was handed in.
  final class Pending {
    let operation: Operation
    /// Of an operation that does not say it itself: as the script has named it.
    var sku: SKU?
    /// For `.expire`: the place, from 1, of the member that is swept.
    let member: UInt16
    /// Nanoseconds of CLOCK_MONOTONIC.
    let deadline: UInt64
    /// The connection that it came from.
    let source: UInt64
    /// nil once it has been called.
    private(set) var completion: Completion?
    /// It is in the queue.
    private(set) var waits = true
    /// It may have happened: a batch that it was in has ended without a word, or is out.
    private(set) var sent = false
    /// It may have happened: a batch that it was in has ended without a word.
    private(set) var uncertain = false

    init(
      _ operation: Operation, member: UInt16 = 0, deadline: UInt64, source: UInt64,
      completion: Completion?
    ) {
      self.operation = operation
      self.member = member
      self.deadline = deadline
      self.source = source
      self.completion = completion
    }

    /// Nobody waits for it any more.
    var isAnswered: Bool { completion == nil }

    func complete(_ result: Result<Answer, StoreFault>) {
      let completion = completion.take()
      completion?(result)
    }

    /// It has left the queue.
    func leaves() { waits = false }

    /// It goes back to the queue.
    func waitsAgain() { waits = true }

    func goesOut() { sent = true }

    /// Its batch has come back without doing it.
    func cameBackUndone() { sent = uncertain }

    /// Its batch has ended without a word.
    func wasLost() { uncertain = true }
  }

  /// What was handed in, for `withdraw`.  It keeps the operations alive: let go of it when they are
  /// answered.
  public struct Ticket {
    enum Taken {
      case nothing
      case one(Pending)
      case many([Pending])
    }

    let taken: Taken
  }

  /// Takes back what has not been sent: it is completed with `.cancelled` before this returns.
  /// - Returns: whether anything was taken back; false is harmless, and the operation is answered as
  ///   if nobody had asked.
  @discardableResult
  public func withdraw(_ ticket: Ticket) -> Bool {
    let before = withdrawn
    switch ticket.taken {
    case .nothing: break
    case .one(let pending): withdraw(pending)
    case .many(let all): for pending in all { withdraw(pending) }
    }
    return withdrawn > before
  }

  private func withdraw(_ pending: Pending) {
    guard pending.waits, !pending.sent, !pending.isAnswered else { return }
    withdrawn += 1
    pending.complete(.failure(.cancelled))
  }

  /// Whoever waits hears at once that Redis takes no writes, as long as it takes none.
  func refuseWaiting() {
    while let pending = queue.next()?.element {
      guard !pending.isAnswered else {
        withdrawn -= 1
        continue
      }
      pending.leaves()
      answered.append((pending, .failure(.refused(sent: pending.sent))))
    }
  }
}
