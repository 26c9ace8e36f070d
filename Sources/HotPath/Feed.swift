import Inventory
public import Logging
public import Loop
public import Wire

/// Who is told that something has changed, without the events themselves.
protocol FeedObserver: AnyObject {
  /// Events about these SKUs have come; nil: about any.
  func changed(_ skus: Set<SKU>?)
}

/// The event stream as a shard's followers read it.
///
/// How it works.  While anybody follows, one connection waits for new entries (XREAD with BLOCK) and
/// each is decoded once, for all followers.  The newest ones stay in memory; a follower takes what
/// its window lets it, and goes on from where it is when there is room again.  One that is further
/// behind is served by pages, read over a second connection one at a time, each dropped as soon as
/// its reader has no room: a follower costs the server its window, and no more, however far it is
/// behind.
///
/// When Redis is away, followers wait; the entries are found again by their ids.
///
/// Lives on the loop's queue.
public final class Feed {
  /// Bytes of entries that are kept for those who are nearly there.
  static let recentBytesMax = 1024 * 1024
  /// Entries of one read; each may hold 128 KiB.
  static let readEntriesMax = 64
  /// How long one read waits for an entry.
  static let blockMs = 5_000
  /// The pause after a read that brought something.  Under load more comes with the next one, and
  /// Redis is not asked more than 200 times a second.
  static let pauseMs: UInt64 = 5
  /// How often followers learn how far they are, when nothing that they want has come.
  static let progressMs: UInt64 = 10_000

  private let store: Store
  let keys: KeySpace
  private let loop: EventLoop
  let logger: Logger
  let decoder = FeedDecoder()

  /// The newest entry that was read; nil until the stream's end is known.
  private(set) var end: FeedPosition?
  private var recent = RecentEntries(
    after: StreamID(ms: 0, sequence: 0), bytesMax: recentBytesMax)
  private var followers: [ObjectIdentifier: FeedFollower] = [:]
  private var observers: [ObjectIdentifier: any FeedObserver] = [:]
  private var tail: RedisLink?
  private var pages: FeedPages?
  private var isClosed = false

  /// A feed that connects with its first follower.
  ///
  /// It reads from the process of Redis that the store is with, and from no other.
  public init(beside store: Store, on loop: EventLoop, logger: Logger) {
    (self.store, self.loop, self.logger) = (store, loop, logger)
    keys = store.keys
  }

  /// Leaves another process of Redis than the one that is sold from.
  public func stayBeside() {
    tail?.stay(beside: store)
    pages?.link.stay(beside: store)
  }

  /// Ends both connections; nobody is told anything more.
  public func close() {
    isClosed = true
    followers.removeAll()
    observers.removeAll()
    rest()
  }

  // MARK: who follows

  /// Takes a follower in.  Its fault, if it cannot begin where it wants to, comes later.
  public func add(_ follower: FeedFollower) {
    guard !isClosed else { return }
    followers[ObjectIdentifier(follower)] = follower
    work()
    pages?.locate(follower)
  }

  /// Lets a follower go.
  public func remove(_ follower: FeedFollower) {
    followers[ObjectIdentifier(follower)] = nil
    pages?.forget(follower)
    restIfAlone()
  }

  func add(_ observer: any FeedObserver) {
    guard !isClosed else { return }
    observers[ObjectIdentifier(observer)] = observer
    work()
  }

  func remove(_ observer: any FeedObserver) {
    observers[ObjectIdentifier(observer)] = nil
    restIfAlone()
  }

  /// Whether what observers are told has no gap.
  var isLive: Bool { end != nil && tail?.state == .open }

  /// Goes on with a follower that has room again.
  public func resume(_ follower: FeedFollower) {
    guard followers[ObjectIdentifier(follower)] === follower else { return }
    pump(follower)
  }

  private func work() {
    guard tail == nil else { return }
    pages = FeedPages(link: .beside(store, on: loop, logger: logger), for: self)
    let link = RedisLink.beside(store, on: loop, logger: logger)
    tail = link
    link.changed = { [weak self, weak link] in
      guard let self, let link, tail === link, link.state == .open else { return }
      findEnd(link)
    }
    link.start()
    tellProgress(link)
  }

  private func restIfAlone() {
    if followers.isEmpty, observers.isEmpty { rest() }
  }

  private func rest() {
    let (tail, pages) = (tail, pages)
    (self.tail, self.pages, end) = (nil, nil, nil)
    recent = RecentEntries(after: StreamID(ms: 0, sequence: 0), bytesMax: Self.recentBytesMax)
    tail?.close()
    pages?.close()
  }

  // MARK: the tail

  /// On a fresh connection: whether what was read last still has its successors.
  private func findEnd(_ link: RedisLink) {
    link.send(["XINFO", "STREAM", keys.events]) { [weak self] reply in
      guard let self, tail === link, let reply else { return }
      guard let ends = StreamEnds(reply) else {
        return link.drop("XINFO STREAM: \(reply.error ?? "not as Redis 7.0 answers")")
      }
      if end == nil || ends.fault(of: end!) != nil { begin(at: ends.last) }
      for observer in observers.values { observer.changed(nil) }
      read(link)
    }
  }

  /// Followers find their own way from where they are.
  private func begin(at position: FeedPosition) {
    end = position
    recent = RecentEntries(after: position.entry, bytesMax: Self.recentBytesMax)
    for follower in followers.values { pages?.locate(follower) }
  }

  private func read(_ link: RedisLink) {
    guard let end else { return }
    let command = [
      "XREAD", "COUNT", "\(Self.readEntriesMax)", "BLOCK", "\(Self.blockMs)", "STREAMS",
      keys.events, "\(end.entry)",
    ]
    link.send(command) { [weak self] reply in
      // Without a reply, the next connection goes on.
      guard let self, tail === link, let reply else { return }
      guard reply.error == nil,
        let entries = reply.count == 0
          ? []
          : reply[0].count == 2
            ? decoder.entries(reply[0][1], from: end.ordinal + 1) : nil
      else { return link.drop("XREAD: \(reply.error ?? "not a list of entries")") }
      took(entries)
      guard tail === link else { return }
      if entries.isEmpty || entries.count == Self.readEntriesMax { return read(link) }
      loop.after(ms: Self.pauseMs) { [weak self] in
        guard let self, tail === link, link.state == .open else { return }
        read(link)
      }
    }
  }

  private func took(_ entries: [FeedEntry]) {
    guard let last = entries.last else { return }
    var skus: Set<SKU>? = []
    for entry in entries {
      recent.append(entry)
      for event in entry.events {
        if let sku = event.sku { skus?.insert(sku) } else { skus = nil }
      }
    }
    end = last.end
    for follower in followers.values { pump(follower) }
    for observer in observers.values { observer.changed(skus) }
  }

  // MARK: to the followers

  /// Gives a follower what it can take.
  func pump(_ follower: FeedFollower) {
    guard end != nil, let position = follower.position, !follower.waitsForPage else { return }
    guard recent.covers(position) else {
      if follower.hasRoom() { pages?.wants(follower) }
      return
    }
    while let position = follower.position, let entry = recent.entry(after: position) {
      guard follower.take(entry) else { return }
    }
  }

  func ended(_ follower: FeedFollower, _ fault: FeedFault) {
    remove(follower)
    follower.fail(fault)
  }

  private func tellProgress(_ link: RedisLink) {
    loop.after(ms: Self.progressMs) { [weak self, weak link] in
      guard let self, let link, tail === link else { return }
      for follower in followers.values { follower.tellProgress() }
      tellProgress(link)
    }
  }
}

/// One who follows the event stream.  Lives on the loop's queue.
public final class FeedFollower {
  /// Where one begins.
  public enum Start {
    /// With what comes from now on.
    case end
    /// With the oldest event that is there.
    case earliest
    /// After a position.
    case after(FeedPosition)
  }

  /// Whether it can take another event; if not, it must call `Feed.resume` when it can.
  public var hasRoom: () -> Bool = { false }
  /// Takes an event.
  public var send: (FeedEvent) -> Void = { _ in }
  /// Takes how far it is, without an event.
  public var note: (FeedPosition) -> Void = { _ in }
  /// It cannot go on; the feed has let it go.
  public var fail: (FeedFault) -> Void = { _ in }

  /// How far it is; nil until that has been found.
  private(set) var position: FeedPosition?
  var waitsForPage = false
  private let start: Start
  private let filter: Follow
  /// How far its reader knows that it is.
  private var known: FeedPosition?

  /// A follower of what a filter lets through.
  public init(from start: Start, filter: Follow) { (self.start, self.filter) = (start, filter) }

  /// Begins where it wants to, or goes on from where it is, in a stream with these ends.
  /// - Parameter asked: where it was when the ends were asked for; nil: nowhere yet.
  /// - Returns: why that cannot be.
  func locate(in ends: StreamEnds, askedAt asked: FeedPosition?) -> FeedFault? {
    if let asked { return ends.fault(of: asked) }
    if position != nil { return nil }
    switch start {
    case .end: position = ends.last
    case .earliest: position = ends.earliest
    case .after(let wanted):
      if let fault = ends.fault(of: wanted) { return fault }
      position = wanted
    }
    tellProgress()
    return nil
  }

  /// Takes the rest of an entry.  One that it has read is passed by: a page may have been kept for it
  /// while it went on with what is in memory.
  /// - Returns: false when there was no room for all of it.
  func take(_ entry: FeedEntry) -> Bool {
    if let position, position.isBeyond(entry.id) { return true }
    let done = position?.entry == entry.id ? position!.events : 0
    for event in entry.events.dropFirst(done) {
      if event.matches(filter) {
        guard hasRoom() else { return false }
        send(event)
        known = event.position
      }
      position = event.position
    }
    position = entry.end
    return true
  }

  /// Says how far it is, if its reader does not know.
  func tellProgress() {
    guard let position, position != known, hasRoom() else { return }
    note(position)
    known = position
  }
}
