import Inventory
public import Logging
public import Loop

/// Ends holds whose deadline has passed, keeps in short what has ended and is in the books, and forgets it
/// at last.
///
/// How it works.  Three indexes hold members `<generation> <hold> <hold> …`: one scored by the time when
/// the sweep is to look at them, and two, of confirmed and of released holds, by the time when they
/// ended.  The sweep reads what is due by Redis's own time, and hands it to the batch, as many members
/// at once as make a full script; the script judges every hold of them again, puts those that are to be
/// looked at again at their next place, and removes the members.  Several sweepers at once do no harm:
/// the script does nothing for a member that has gone.
///
/// How long an ended hold is remembered is decided here, when it is looked for (`Store.retention`), so
/// that it can be less while Redis is short of memory.
///
/// Lives on the loop's queue.
public final class Sweep {
  /// How often the indexes are read while nothing is due.
  public static let intervalMs: UInt64 = 100
  /// How often every hold is looked at, at least: it may have ended long before its deadline.
  public static let visitMs: UInt64 = 900_000
  /// Members read at once: after a crowd of single calls each names one hold.
  static let membersMax = 256
  /// Holds in one script: ending one costs Redis twice as much as making one, and nobody may wait
  /// longer than 2 ms.
  static let holdsMax = 96

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

  /// The due members that name holds; what no script could have written is taken out of its index.
  private func usable(_ due: [IndexMember]) -> [IndexMember] {
    due.filter { member in
      if member.holds.isEmpty {
        logger.error("removed a member of an index of holds that names none")
        store.remove(member)
      } else if member.holds.count > Self.holdsMax {
        store.split(member, into: Self.holdsMax)
      } else {
        return true
      }
      return false
    }
  }

  /// Script after script, each as full as it may be.
  private func handIn(_ members: [IndexMember]) {
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
}

extension Store {
  /// The members of the indexes that are due by Redis's time, first ones first.
  func readDue(limit: Int, _ completion: @escaping ([IndexMember]) -> Void) {
    let text = String(decoding: PackageResources.due_lua, as: UTF8.self)
    let indexes = IndexMember.Index.allCases
    let ages = [0, retention.confirmedMs, retention.releasedMs]
    let command =
      ["EVAL", text, "\(indexes.count)"] + indexes.map { $0.key(in: keys) } + ["\(limit)"]
      + ages.map { "\($0)" }
    link.send(command) { reply in
      guard let reply, reply.error == nil, reply.count == indexes.count else {
        return completion([])
      }
      completion(
        zip(indexes, reply.elements).flatMap { index, members in
          members.elements.map { IndexMember(of: index, Array($0.bytes)) }
        })
    }
  }

  /// Takes a member off its index that no script could have written.
  func remove(_ member: IndexMember) {
    let key = member.index.key(in: keys)
    link.send([Array("ZREM".utf8), Array(key.utf8), member.bytes]) { _ in }
  }

  /// Writes a member that is longer than a script may be as several.  The parts come first: whatever
  /// is cut off in between is judged twice, never lost.
  func split(_ member: IndexMember, into size: Int) {
    let holds = member.holds
    for start in stride(from: 0, to: holds.count, by: size) {
      let part = holds[start..<min(start + size, holds.count)]
      let text = "\(part.first!.generation) " + part.map { "\($0.key)" }.joined(separator: " ")
      link.send(["ZADD", member.index.key(in: keys), "0", text]) { _ in }
    }
    remove(member)
  }
}
