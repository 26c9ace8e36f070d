import Inventory

/// Reads the event stream for those who are behind: a connection of its own, and one page at a time,
/// in turns.  What is left of a page when its reader has no room is kept for it, as long as it is
/// among the last few.  Lives on the loop's queue.
final class FeedPages {
  /// Bytes of a page, about; the size of entries is learned from those that came.
  static let pageBytes = 128 * 1024
  /// Entries of a page, however small they are.
  static let pageEntriesMax = 256

  /// Pages that are kept, each for one reader.
  static let keptMax = 8

  let link: RedisLink
  private unowned let feed: Feed
  /// Those who have no position yet, or whose position must be looked at again.
  private var unlocated: [FeedFollower] = []
  private var turns: [FeedFollower] = []
  private var kept: [(reader: ObjectIdentifier, page: ArraySlice<FeedEntry>)] = []
  private var isBusy = false
  private var entryBytes = pageBytes / 4

  init(link: RedisLink, for feed: Feed) {
    (self.link, self.feed) = (link, feed)
    link.changed = { [weak self] in self?.next() }
    link.start()
  }

  func close() { link.close() }

  func forget(_ follower: FeedFollower) {
    unlocated.removeAll { $0 === follower }
    turns.removeAll { $0 === follower }
    kept.removeAll { $0.reader == ObjectIdentifier(follower) }
    follower.waitsForPage = false
  }

  /// Finds out where a follower is.
  func locate(_ follower: FeedFollower) {
    guard !unlocated.contains(where: { $0 === follower }) else { return }
    unlocated.append(follower)
    next()
  }

  /// Gives a follower the page that follows its position, when it is its turn.
  func wants(_ follower: FeedFollower) {
    guard !follower.waitsForPage else { return }
    if let place = kept.firstIndex(where: { $0.reader == ObjectIdentifier(follower) }) {
      let page = kept.remove(at: place).page
      guard give(page, to: follower) else { return }
      return feed.pump(follower)
    }
    follower.waitsForPage = true
    turns.append(follower)
    next()
  }

  private func next() {
    guard !isBusy, link.state == .open else { return }
    if !unlocated.isEmpty {
      isBusy = true
      locateAll()
    } else if let follower = turns.first, let position = follower.position {
      isBusy = true
      turns.removeFirst()
      read(follower, after: position)
    }
  }

  private func locateAll() {
    // Where each is now: by the time of the answer the tail may have brought one beyond these ends.
    let asking = unlocated.map { (follower: $0, position: $0.position) }
    unlocated = []
    findEnds { [self] ends in
      guard let ends else { return unlocated = asking.map(\.follower) + unlocated }
      for (follower, position) in asking {
        if let fault = follower.locate(in: ends, askedAt: position) {
          feed.ended(follower, fault)
        } else {
          feed.pump(follower)
        }
      }
    }
  }

  /// The ends are read after the page: what is whole then was whole before.
  private func read(_ follower: FeedFollower, after position: FeedPosition) {
    let isPart = position.events > 0
    let start = isPart ? position.entry : position.entry.next
    let count = min(max(Self.pageBytes / entryBytes, 1), Self.pageEntriesMax)
    var page: [FeedEntry]?
    link.send(["XRANGE", feed.keys.events, "\(start)", "+", "COUNT", "\(count)"]) { [feed] reply in
      guard let reply, reply.error == nil else { return }
      page = feed.decoder.entries(reply, from: position.ordinal + (isPart ? 0 : 1))
    }
    findEnds { [self] ends in
      guard follower.waitsForPage else { return }
      guard let ends, let page else { return turns.insert(follower, at: 0) }
      follower.waitsForPage = false
      if let fault = ends.fault(of: position) { return feed.ended(follower, fault) }
      learn(page)
      if give(page[...], to: follower) { feed.pump(follower) }
    }
  }

  /// - Returns: false when there was no room for all of it; the rest is kept.
  private func give(_ page: ArraySlice<FeedEntry>, to follower: FeedFollower) -> Bool {
    guard let place = page.firstIndex(where: { !follower.take($0) }) else { return true }
    if kept.count == Self.keptMax { kept.removeFirst() }
    kept.append((ObjectIdentifier(follower), page[place...]))
    return false
  }

  private func learn(_ page: [FeedEntry]) {
    guard !page.isEmpty else { return }
    entryBytes = max(page.reduce(0) { $0 + $1.byteCount } / page.count, 1)
  }

  /// - Parameter done: nil: the connection died, and the next one begins again.
  private func findEnds(_ done: @escaping (StreamEnds?) -> Void) {
    link.send(["XINFO", "STREAM", feed.keys.events]) { [weak self] reply in
      guard let self else { return }
      isBusy = false
      let ends = reply.flatMap { StreamEnds($0) }
      done(ends)
      if let reply, ends == nil {
        link.drop("XINFO STREAM: \(reply.error ?? "not as Redis 7.0 answers")")
      }
      next()
    }
  }
}
