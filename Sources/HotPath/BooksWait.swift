import Inventory
public import Loop

/// Tells when PostgreSQL has committed what the store has written.
///
/// How it works.  The worker acknowledges an entry of the stream after it has committed it, so the
/// group itself says how far the books are: up to the oldest entry that is not acknowledged.  While
/// anybody waits, Redis is asked every `pollMs`.  The first answer that was asked for after a change
/// names the entry that its caller waits for, the last one by then; this holds for a repeat too,
/// whose change came long before.  An event that became a dead letter was acknowledged as well, and
/// will not be in the books: its caller is told at once.
///
/// Lives on the loop's queue.
public final class BooksWait {
  /// How often Redis is asked while anybody waits.
  static let pollMs: UInt64 = 5

  private struct Waiter {
    /// `<hold id>/<version>`
    let event: String
    /// Nanoseconds of CLOCK_MONOTONIC.
    let deadline: UInt64
    let completion: (Bool) -> Void
    /// The entry that must be in the books; nil: not known yet.
    var target: StreamID?
  }

  private let store: Store
  private let loop: EventLoop
  private var waiting: [Waiter] = []
  /// The connection that the targets come from, as `Store.greetings` counts.
  private var greeting: UInt64 = 0
  private var isPolling = false

  /// Waits on the store's own link: what it asks is answered at once.
  public init(on store: Store, loop: EventLoop) {
    self.store = store
    self.loop = loop
  }

  /// Waits for an event that has just been answered.
  /// - Parameters:
  ///   - event: `<hold id>/<version>`, see `Event.id`.
  ///   - deadline: nanoseconds of CLOCK_MONOTONIC.
  ///   - completion: called once: whether the books have it.
  public func wait(
    for event: String, until deadline: UInt64, _ completion: @escaping (Bool) -> Void
  ) {
    if waiting.isEmpty { greeting = store.greetings }
    waiting.append(Waiter(event: event, deadline: deadline, completion: completion))
    if !isPolling {
      isPolling = true
      poll()
    }
  }

  /// Whoever waits is told that the books do not have it yet.
  public func close() { giveUp() }

  private func giveUp() {
    let all = waiting
    waiting = []
    for waiter in all { waiter.completion(false) }
  }

  private func poll() {
    // Another connection may lead to another Redis, with other entries.
    if !store.isOpen || store.greetings != greeting { giveUp() }
    endLate()
    guard !waiting.isEmpty else {
      isPolling = false
      return
    }
    let asked = waiting.count
    let text = String(decoding: PackageResources.books_lua, as: UTF8.self)
    store.link.send(["EVAL", text, "1", store.keys.events, KeySpace.group]) { [weak self] reply in
      guard let self else { return }
      if let reply, reply.count == 3 {
        answered(asked, last: reply[0].id, delivered: reply[1].id, oldest: reply[2].id)
      } else {
        giveUp()
      }
      loop.after(ms: Self.pollMs) { [weak self] in self?.poll() }
    }
  }

  private func endLate() {
    let now = loop.now
    let late = waiting.filter { $0.deadline <= now }
    guard !late.isEmpty else { return }
    waiting.removeAll { $0.deadline <= now }
    for waiter in late { waiter.completion(false) }
  }

  /// - Parameter asked: how many waited when the question was sent.
  private func answered(_ asked: Int, last: StreamID?, delivered: StreamID?, oldest: StreamID?) {
    guard let delivered else { return giveUp() }
    let applied = oldest?.previous ?? delivered
    var done: [Waiter] = []
    for place in waiting.indices.prefix(asked) {
      waiting[place].target = waiting[place].target ?? last ?? delivered
      if waiting[place].target! <= applied { done.append(waiting[place]) }
    }
    guard !done.isEmpty else { return }
    waiting.removeAll { $0.target.map { $0 <= applied } ?? false }
    let command = ["HMGET", store.keys.deadEventIDs] + done.map(\.event)
    store.link.send(command) { reply in
      for (place, waiter) in done.enumerated() {
        let isKnown = reply.map { $0.error == nil && $0.count == done.count } ?? false
        waiter.completion(isKnown && reply![place].text == nil)
      }
    }
  }
}

extension RedisReply {
  fileprivate var id: StreamID? { text.flatMap { StreamID($0) } }
}
