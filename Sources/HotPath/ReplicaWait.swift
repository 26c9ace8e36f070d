public import Logging
public import Loop

/// Tells when replicas have what the store has written.
///
/// How it works.  WAIT keeps its connection busy until the replicas have answered, so it has one of
/// its own, which is made when the first caller asks.  It counts from the last write of its own
/// connection, and what is waited for came over another: a PUBLISH goes first, which is passed on to
/// the replicas after everything that Redis had answered by then, touches no key and stands in no file.
/// Those who come while a WAIT is out go with the next.
///
/// What WAIT says counts only for the process of Redis on which the script ran, and for the line of
/// writes in which it ran: two connections to one address may end at two processes, and one that was
/// made a replica and a master again has forgotten what it had answered.
///
/// Lives on the loop's queue.
public final class ReplicaWait: EndOfPass {
  /// How long one WAIT may take.
  static let waitMs = 1_000
  /// How long anybody waits, be it for a connection, for the WAIT of others and for its own.
  static let patienceMs: UInt64 = 2_000
  /// How often deadlines are looked at while anybody waits.
  static let deadlineCheckMs: UInt64 = 10
  /// What PUBLISH names; nobody listens.
  static let channel = "stockstream.replicas"

  private struct Waiter {
    /// Nanoseconds of CLOCK_MONOTONIC.
    let deadline: UInt64
    /// Where the script ran, as the store saw it.
    let origin: Origin
    let completion: (Bool) -> Void
  }

  /// A process of Redis, and the line of writes that it continued.
  private struct Origin: Equatable {
    let runID: String
    let replicationID: String
  }

  private let store: Store
  private let count: Int
  private let loop: EventLoop
  private let link: RedisLink
  private var isStarted = false
  private var wasOpen = false
  private var isOut = false
  private var isWatching = false
  private var waiting: [Int: Waiter] = [:]
  private var numbers = 0

  /// - Parameter store: whose changes are waited for, by as many replicas as it is set to.
  public init(for store: Store, on loop: EventLoop, logger: Logger) {
    (self.store, self.loop) = (store, loop)
    count = store.settings.replicas
    link = RedisLink.beside(store, on: loop, logger: logger)
    link.changed = { [weak self] in self?.changed() }
  }

  /// Waits for what has just been answered.
  /// - Parameters:
  ///   - deadline: nanoseconds of CLOCK_MONOTONIC.
  ///   - completion: called once: whether so many replicas have it.
  public func wait(until deadline: UInt64, _ completion: @escaping (Bool) -> Void) {
    numbers += 1
    waiting[numbers] = Waiter(
      deadline: min(deadline, loop.now + Self.patienceMs * 1_000_000),
      origin: Origin(runID: store.runID, replicationID: store.replicationID),
      completion: completion)
    if !isStarted {
      isStarted = true
      link.start()
    }
    loop.putOff(self, first: false)
    watchDeadlines()
  }

  /// Closes the link; whoever waits is told that no replica is known to have it.
  public func close() {
    link.close()
    giveUp(Array(waiting.keys))
  }

  /// Leaves another process of Redis than the one that is sold from.
  public func stayBeside() { link.stay(beside: store) }

  /// What was answered over a connection that has died is not asked of the Redis that comes next.
  private func changed() {
    if link.state == .open {
      wasOpen = true
      loop.putOff(self, first: false)
    } else if wasOpen {
      giveUp(Array(waiting.keys))
    }
  }

  /// Sends the next WAIT, for everybody who waits by now.
  public func endOfPass() {
    guard !isOut, link.state == .open, !waiting.isEmpty else { return }
    isOut = true
    let asked = Array(waiting.keys)
    var replicas: Int64 = -1
    link.send(["PUBLISH", Self.channel, ""]) { _ in }
    link.send(["WAIT", "\(count)", "\(Self.waitMs)"]) { reply in
      if let reply, reply.error == nil { replicas = reply.integer }
    }
    // After the WAIT: a change of role before it is seen here.
    link.send(["INFO", "replication"]) { [weak self] reply in
      guard let self else { return }
      isOut = false
      let origin = origin(as: reply)
      let isThere = replicas >= Int64(count)
      for number in asked {
        guard let waiter = waiting.removeValue(forKey: number) else { continue }
        waiter.completion(isThere && waiter.origin == origin)
      }
      loop.putOff(self, first: false)
    }
  }

  /// What is at the other end now; nil: no master.
  private func origin(as reply: RedisReply?) -> Origin? {
    guard let reply, reply.error == nil else { return nil }
    let info = RedisInfo(reply.text ?? "")
    guard info["role"] == "master", let id = info["master_replid"] else { return nil }
    return Origin(runID: link.process, replicationID: String(id))
  }

  private func watchDeadlines() {
    guard !isWatching else { return }
    isWatching = true
    loop.after(ms: Self.deadlineCheckMs) { [weak self] in
      guard let self else { return }
      isWatching = false
      let now = loop.now
      giveUp(waiting.filter { $0.value.deadline <= now }.map(\.key))
      if !waiting.isEmpty { watchDeadlines() }
    }
  }

  private func giveUp(_ numbers: [Int]) {
    for number in numbers { waiting.removeValue(forKey: number)?.completion(false) }
  }
}
