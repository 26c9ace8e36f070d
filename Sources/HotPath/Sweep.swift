import Inventory
public import Logging
public import Loop

/// Ends holds whose deadline has passed, and forgets finished ones whose retention has.
///
/// How it works.  The index holds members `<generation> <hold> <hold> …`, scored by the time when
/// they fall due.  The sweep reads the first few with Redis's own time, and hands each due member to
/// the batch; the script judges every hold of it again, puts those that are not finished at their
/// next time, and removes the member.  Several sweepers at once do no harm: the script does nothing
/// for a member that has gone.
///
/// Lives on the loop's queue.
public final class Sweep {
  /// How often the index is read while nothing is due.
  public static let intervalMs: UInt64 = 100
  /// Members read at once.
  static let membersMax = 8

  private let store: Store
  private let batch: Batch
  private let loop: EventLoop
  private let logger: Logger
  private var outstanding = 0
  private var failed = false
  private var stopped = false

  /// A sweep that hands its work to `batch`.
  public init(of store: Store, through batch: Batch, on loop: EventLoop, logger: Logger) {
    self.store = store
    self.batch = batch
    self.loop = loop
    self.logger = logger
  }

  /// Sweeps until `stop`.
  public func start() { wait() }

  /// Hands in nothing more.
  public func stop() { stopped = true }

  private func wait() {
    guard !stopped else { return }
    loop.after(ms: Self.intervalMs) { [weak self] in self?.look() }
  }

  private func look() {
    guard !stopped, store.isOpen else { return wait() }
    store.readDue(limit: Self.membersMax) { [weak self] due in
      guard let self, !stopped else { return }
      outstanding = 0
      failed = false
      for member in due { handIn(member) }
      if outstanding == 0 { wait() }
    }
  }

  /// The holds that a member names.
  static func holds(of member: String) -> [HoldID] {
    let words = member.split(separator: " ")
    guard let first = words.first, let generation = UInt64(first) else { return [] }
    return words.dropFirst().compactMap { HoldKey($0) }.map {
      HoldID(key: $0, generation: generation)
    }
  }

  private func handIn(_ member: String) {
    let holds = Self.holds(of: member)
    guard !holds.isEmpty, holds.count <= Batch.operationsMax else {
      logger.error("removed a member of the expiry index that names no holds")
      return store.removeDue(member)
    }
    outstanding += 1
    batch.submit(
      Batch.Sweep(member: member, holds: holds) { [weak self] judged in
        guard let self else { return }
        outstanding -= 1
        failed = failed || !judged
        guard outstanding == 0 else { return }
        // More is probably due: look again at once, but not at what has just failed.
        failed ? wait() : look()
      })
  }
}

extension Store {
  /// The members of the expiry index that are due by Redis's time, first ones first.
  func readDue(limit: Int, _ completion: @escaping ([String]) -> Void) {
    var now: Int64 = 0
    link.send(["TIME"]) { reply in
      guard let reply, reply.error == nil, reply.count == 2 else { return }
      now = (Int64(reply[0].text ?? "") ?? 0) * 1000 + (Int64(reply[1].text ?? "") ?? 0) / 1000
    }
    link.send(["ZRANGE", keys.expiry, "0", "\(limit - 1)", "WITHSCORES"]) { reply in
      guard let reply, reply.error == nil else { return completion([]) }
      var due: [String] = []
      for place in stride(from: 0, to: reply.count - 1, by: 2) {
        guard let score = reply[place + 1].text.flatMap({ Double($0) }), score <= Double(now)
        else { break }
        due.append(reply[place].text ?? "")
      }
      completion(due)
    }
  }

  /// Takes a member off the expiry index that no script could have written.
  func removeDue(_ member: String) {
    link.send(["ZREM", keys.expiry, member]) { _ in }
  }
}
