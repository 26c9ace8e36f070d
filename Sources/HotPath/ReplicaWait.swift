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
/// Lives on the loop's queue.
public final class ReplicaWait: EndOfPass {
  /// How long one WAIT may take.
  static let waitMs = 1_000
  /// How often deadlines are looked at while anybody waits.
  static let deadlineCheckMs: UInt64 = 10
  /// What PUBLISH names; nobody listens.
  static let channel = "stockstream.replicas"

  private struct Waiter {
    /// Nanoseconds of CLOCK_MONOTONIC.
    let deadline: UInt64
    let completion: (Bool) -> Void
  }

  private let count: Int
  private let loop: EventLoop
  private let link: RedisLink
  private var isStarted = false
  private var wasOpen = false
  private var isOut = false
  private var isWatching = false
  private var waiting: [Int: Waiter] = [:]
  private var numbers = 0

  /// - Parameter count: how many replicas must have a change.
  public init(
    for count: Int, of address: RedisAddress, on loop: EventLoop, logger: Logger
  ) {
    self.count = count
    self.loop = loop
    link = RedisLink(to: address, on: loop, logger: logger) { link, done in
      link.introduce(to: address, done)
    }
    link.changed = { [weak self] in self?.changed() }
  }

  /// Waits for what has just been answered.
  /// - Parameters:
  ///   - deadline: nanoseconds of CLOCK_MONOTONIC.
  ///   - completion: called once: whether so many replicas have it.
  public func wait(until deadline: UInt64, _ completion: @escaping (Bool) -> Void) {
    numbers += 1
    waiting[numbers] = Waiter(deadline: deadline, completion: completion)
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
    link.send(["PUBLISH", Self.channel, ""]) { _ in }
    link.send(["WAIT", "\(count)", "\(Self.waitMs)"]) { [weak self] reply in
      guard let self else { return }
      isOut = false
      let isThere = reply.map { $0.error == nil && $0.integer >= count } ?? false
      for number in asked { waiting.removeValue(forKey: number)?.completion(isThere) }
      loop.putOff(self, first: false)
    }
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

extension RedisLink {
  /// Says who we are, and which database is meant.
  /// - Parameter done: called once, with why Redis does not accept it, or nil.
  func introduce(to address: RedisAddress, _ done: @escaping (String?) -> Void) {
    var refusal: String?
    func note(_ reply: RedisReply?) {
      if refusal == nil { refusal = reply == nil ? "connection closed" : reply?.error }
    }
    if let password = address.password {
      send(["AUTH"] + [address.user, password].compactMap { $0 }) { note($0) }
    }
    send(["SELECT", "\(address.database)"]) { reply in
      note(reply)
      done(refusal)
    }
  }
}
