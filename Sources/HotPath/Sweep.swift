import Inventory
public import Logging
public import Loop

/// Ends holds whose deadline has passed, and forgets finished ones whose retention has.
///
/// How it works.  The index holds members `<generation> <hold> <hold> …`, scored by the time when
/// they fall due.  The sweep reads the first of them with Redis's own time, and hands the due ones to
/// the batch, as many at once as make a full script; the script judges every hold of them again, puts
/// those that are not finished at their next time, and removes the members.  Several sweepers at once
/// do no harm: the script does nothing for a member that has gone.
///
/// Lives on the loop's queue.
public final class Sweep {
  /// How often the index is read while nothing is due.
  public static let intervalMs: UInt64 = 100
  /// Members read at once: after a crowd of single calls each names one hold.
  static let membersMax = 256
  /// Holds in one script: ending one costs Redis twice as much as making one, and nobody may wait
  /// longer than 2 ms.
  static let holdsMax = 96

  /// A member as it stands in the index, and the holds that it names.
  typealias Member = (bytes: [UInt8], holds: [HoldID])

  private let store: Store
  private let batch: Batch
  private let loop: EventLoop
  private let logger: Logger
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
      handIn(usable(due))
    }
  }

  /// The due members that name holds; what no script could have written is taken out of the index.
  private func usable(_ due: [[UInt8]]) -> [Member] {
    due.compactMap { bytes in
      let holds = Self.holds(of: bytes)
      if holds.isEmpty {
        logger.error("removed a member of the expiry index that names no holds")
        store.removeDue(bytes)
        return nil
      }
      if holds.count > Self.holdsMax {
        store.splitDue(bytes, holds, into: Self.holdsMax)
        return nil
      }
      return (bytes, holds)
    }
  }

  /// Script after script, each as full as it may be.
  private func handIn(_ members: [Member]) {
    var count = 0
    let taken = members.prefix { member in
      count += member.holds.count
      return count <= Self.holdsMax
    }
    guard !taken.isEmpty else { return wait() }
    let rest = Array(members[taken.endIndex...])
    batch.submit(
      Batch.Sweep(members: Array(taken)) { [weak self] removed in
        guard let self else { return }
        if removed == 0 {
          // Redis has gone, or another sweeper was faster: no hurry.
          wait()
        } else if rest.isEmpty {
          look()
        } else {
          handIn(rest)
        }
      })
  }

  /// The holds that a member names.
  static func holds(of member: [UInt8]) -> [HoldID] {
    let words = String(decoding: member, as: UTF8.self).split(separator: " ")
    guard let first = words.first, let generation = UInt64(first) else { return [] }
    return words.dropFirst().compactMap { HoldKey($0) }.map {
      HoldID(key: $0, generation: generation)
    }
  }
}

extension Store {
  /// The members of the expiry index that are due by Redis's time, first ones first.
  func readDue(limit: Int, _ completion: @escaping ([[UInt8]]) -> Void) {
    var now: Int64 = 0
    link.send(["TIME"]) { reply in
      guard let reply, reply.error == nil, reply.count == 2 else { return }
      now = (Int64(reply[0].text ?? "") ?? 0) * 1000 + (Int64(reply[1].text ?? "") ?? 0) / 1000
    }
    link.send(["ZRANGE", keys.expiry, "0", "\(limit - 1)", "WITHSCORES"]) { reply in
      guard let reply, reply.error == nil else { return completion([]) }
      var due: [[UInt8]] = []
      for place in stride(from: 0, to: reply.count - 1, by: 2) {
        guard let score = reply[place + 1].text.flatMap({ Double($0) }), score <= Double(now)
        else { break }
        due.append(Array(reply[place].bytes))
      }
      completion(due)
    }
  }

  /// Takes a member off the expiry index that no script could have written.
  func removeDue(_ member: [UInt8]) {
    link.send([Array("ZREM".utf8), Array(keys.expiry.utf8), member]) { _ in }
  }

  /// Writes a member that is longer than a script may be as several.  The parts come first: whatever
  /// is cut off in between is judged twice, never lost.
  func splitDue(_ member: [UInt8], _ holds: [HoldID], into size: Int) {
    for start in stride(from: 0, to: holds.count, by: size) {
      let part = holds[start..<min(start + size, holds.count)]
      let text = "\(part.first!.generation) " + part.map { "\($0.key)" }.joined(separator: " ")
      link.send(["ZADD", keys.expiry, "0", text]) { _ in }
    }
    removeDue(member)
  }
}
