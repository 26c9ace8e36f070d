public import HotPath
public import Inventory
public import Ledger
import Glibc

/// Makes Redis anew from the books.
///
/// How it works.  When nothing is against it, the books name this Redis as theirs, and the sale is closed;
/// the workers apply what still lies in its stream, and the books
/// begin a new epoch, in which no earlier copy of Redis is opened.  Then figures, live and recent
/// holds, the index of what falls due and recent requests are written as the script would have written
/// them, and the stream goes on above every id that the books know.  Cut off anywhere, it is run again
/// from the start; nothing can be sold meanwhile.
public struct Rebuild {
  /// Which stores, and how long Redis remembers.
  public struct Settings: Sendable {
    /// The Redis that is to be made anew.
    public var redis: RedisAddress
    /// The books.
    public var database: DatabaseAddress
    /// The keys in Redis.
    public var keys = KeySpace()
    /// How long Redis remembers what has ended.
    public var retention = Retention()
    /// Whether holds that another Redis made, of SKUs that the books contradict themselves about, are
    /// released: this Redis's stand.
    public var releasesOthers = false
    /// Whether a person says that every other Redis is off.
    public var othersAreOff = false
    /// For how long the opening of a Redis with replicas holds, in milliseconds, as workers are set.
    public var leaseMs = Lease.msDefault

    /// Settings with their defaults.
    public init(redis: RedisAddress, database: DatabaseAddress) {
      (self.redis, self.database) = (redis, database)
    }
  }

  /// Why there is no rebuild.
  public struct Refusal: Error, CustomStringConvertible {
    /// For a person.
    public let description: String
  }

  /// PostgreSQL sorts all live holds before it answers: ten minutes for a reply.
  static let replyMs = 600_000
  /// The workers get this long to apply what still lies in the stream.
  static let drainMsMax: UInt64 = 90_000
  /// Another Redis gets this long, at least, to lose its opening, in milliseconds.
  static let otherMsMax: UInt64 = 30_000
  /// A server comes to a Redis that was started within this time, in milliseconds.
  static let votersMsMax: UInt64 = 5_000
  /// No other Redis is opened for so long once a rebuild has begun, in milliseconds.
  static let ownMs: Int64 = 600_000
  /// Changes of stock have their requests remembered for so long.
  static let requestMs: UInt64 = 86_400_000

  private let settings: Settings
  private let target: RebuildSession
  private let stream: EventStream
  private let control: Postgres
  private let say: (String) -> Void

  /// Connects to both stores.
  /// - Parameter say: takes a line about the progress.
  public init(_ settings: Settings, say: @escaping (String) -> Void) throws {
    self.settings = settings
    self.say = say
    target = try RebuildSession(at: settings.redis, keys: settings.keys)
    stream = try EventStream(at: settings.redis, keys: settings.keys, consumer: "rebuild")
    control = try Self.connect(settings)
    try control.migrate()
  }

  private static func connect(_ settings: Settings) throws -> Postgres {
    try Postgres(
      settings.database, name: "stockworker --rebuild", limits: Postgres.Limits(replyMs: replyMs))
  }

  /// Compares Redis with the books, and changes nothing.
  public func plan() throws -> RebuildPlan {
    let snapshot = try BooksSnapshot(in: try Self.connect(settings))
    var plan = RebuildPlan()
    plan.fence = try stream.fence()
    plan.books = try control.bookedEpoch()
    let nowMs = try stream.time()
    plan.newest = try newestOfBooks(nowMs)
    plan.last = try stream.newestID()
    plan.unapplied = try unapplied()
    plan.deadLetters = try target.countDeadLetters()
    plan.redis = try stream.identity()
    plan.opening = try control.bookedOpening()
    plan.contradictions = try snapshot.contradictions()
    guard plan.contradictions.isEmpty else {
      let split = try self.split(plan.contradictions)
      plan.soldTwice = split.pairs.map(\.description)
      plan.contradictionsLeft = split.left
      return plan
    }
    try snapshot.eachSKU { sku, figures in try target.compare(sku, figures, &plan.skus) }
    try eachPage(of: snapshot, Since(settings.retention, nowMs)) { page in
      plan.active += page.count { $0.status == .active }
      try target.compare(page, &plan.holds)
    }
    plan.onlyInRedis = max(0, try target.countHolds() - plan.holds.same - plan.holds.different)
    return plan
  }

  /// Does it.
  /// - Returns: the epoch, in which a worker can now open Redis to the sale.
  public func run() throws -> Epoch {
    let before = try stream.fence()
    // While the sale goes on: a plan that cannot be carried out must not end it.
    try refuseForeign(before)
    try refuseWhatBooksLack()
    try takeBooks(before)
    try stream.close(in: before.epoch, lost: "it is being rebuilt from the books")
    say("the sale is closed")
    do {
      try drain()
      try releaseOthers()
      try refuseDeadLetters()
      try refuseContradictions()
    } catch {
      // As it was; a worker opens it again if it was open, and no other has to wait for this one.
      try? stream.takeBackLoss()
      _ = try? control.grant(opening: try stream.identity().name, leaseMs: 0, to: "rebuild") { nil }
      if let lost = before.lost { try? stream.close(in: before.epoch, lost: lost) }
      throw error
    }
    let snapshot = try BooksSnapshot(in: try Self.connect(settings))
    let epoch = try beginEpoch()
    say("epoch \(epoch) has begun")
    try target.wipe()
    let nowMs = try stream.time()
    try write(snapshot, nowMs)
    let newest = try newestOfBooks(nowMs)
    try target.finish(epoch, after: newest, nowMs: max(nowMs, newest?.ms ?? 0))
    try control.endRebuild()
    return epoch
  }

  private func write(_ snapshot: BooksSnapshot, _ nowMs: UInt64) throws {
    var (skus, holds) = (0, 0)
    try snapshot.eachSKU { sku, figures in
      try target.write(sku, figures)
      skus += 1
    }
    let endedSince = try sinceThatFits(snapshot, nowMs)
    try target.noteForgotten(before: endedSince.confirmedMs)
    try eachPage(of: snapshot, endedSince) { page in
      try target.write(page, nowMs: nowMs)
      if (holds + page.count) / 100_000 > holds / 100_000 { say("\(holds + page.count) holds") }
      holds += page.count
    }
    let since = nowMs - min(nowMs, Self.requestMs)
    try snapshot.eachStockOrder(sinceMs: since) { order, atMs in
      guard atMs + Self.requestMs > nowMs else { return }
      try target.write(order, forMs: atMs + Self.requestMs - nowMs)
    }
    say("\(skus) SKUs and \(holds) holds are written")
  }

  /// Since when holds must have ended to be remembered.
  private typealias Since = BooksSnapshot.EndedSince

  /// So many of the holds that have ended as leave half of Redis's memory to the sale: the last ones.
  private func sinceThatFits(_ snapshot: BooksSnapshot, _ nowMs: UInt64) throws -> Since {
    let room = try target.memoryLimit() / 2
    var retention = settings.retention
    while true {
      let since = Since(retention, nowMs)
      let count = try snapshot.countHolds(endedSince: since)
      let bytes = (count.active + count.ended) * RebuildSession.holdBytes
      let least = retention.shortened(at: 1, floorMs: Limits.retentionFloorMsDefault)
      guard room > 0, bytes > room, retention != least else { return since }
      retention.confirmedMs = max(retention.confirmedMs / 2, least.confirmedMs)
      retention.releasedMs = max(retention.releasedMs / 2, least.releasedMs)
      say(
        "\(count.ended) ended holds would take \(bytes / 1_048_576) MiB of Redis's memory: those of "
          + "the last \(retention.confirmedMs / 60_000) minutes are remembered")
    }
  }

  /// Live and recent holds, some hundred at a time.
  private func eachPage(
    of snapshot: BooksSnapshot, _ since: Since, _ body: ([Hold]) throws -> Void
  ) throws {
    var page: [Hold] = []
    page.reserveCapacity(RebuildSession.pageHolds)
    try snapshot.eachHold(endedSince: since) { hold in
      page.append(hold)
      guard page.count == RebuildSession.pageHolds else { return }
      try body(page)
      page.removeAll(keepingCapacity: true)
    }
    try body(page)
  }

  // MARK: what must be true

  private func refuseForeign(_ fence: Fence) throws {
    if let master = try stream.identity().master {
      throw Refusal(description: "this Redis is a replica of \(master): rebuild the master")
    }
    guard let books = try control.bookedEpoch() else {
      throw Refusal(
        description: "these books have no name, and nothing to rebuild from: is DATABASE_URL "
          + "right, and are they restored?")
    }
    guard let redis = fence.epoch, redis.deployment != books.deployment else { return }
    throw Refusal(
      description: "this Redis belongs to deployment \(redis.deployment), and the books to "
        + "\(books.deployment): empty it yourself if it is not needed")
  }

  private func refuseWhatBooksLack() throws {
    try refuseDeadLetters()
    guard settings.releasesOthers else { return try refuseContradictions() }
    guard try stream.fence().epoch != nil else {
      throw Refusal(description: "this Redis knows nothing: none of its holds can stand")
    }
    try refuse(split(contradictions()).left)
  }

  private func refuseDeadLetters() throws {
    let deadLetters = try target.countDeadLetters()
    guard deadLetters == 0 else {
      throw Refusal(
        description:
          "\(deadLetters) dead letters are not in the books: replay or discard them first")
    }
  }

  // MARK: books of two Redis

  private func contradictions() throws -> [BooksSnapshot.Contradiction] {
    try BooksSnapshot(in: try Self.connect(settings)).contradictions()
  }

  private func refuseContradictions() throws { try refuse(contradictions()) }

  private func refuse(_ contradictions: [BooksSnapshot.Contradiction]) throws {
    guard contradictions.isEmpty else {
      throw Refusal(
        description: "the books contradict themselves: "
          + contradictions.prefix(RebuildPlan.namesMax).map(\.description).joined(separator: "; "))
    }
  }

  private func split(_ contradictions: [BooksSnapshot.Contradiction]) throws -> Split {
    let nowMs = try stream.time()
    return try Split(
      contradictions, in: try BooksSnapshot(in: try Self.connect(settings)),
      beside: try StoreView(at: settings.redis, keys: settings.keys),
      since: max(Since(settings.retention, nowMs).confirmedMs, try target.forgottenBefore()))
  }

  private func releaseOthers() throws {
    guard settings.releasesOthers else { return }
    let split = try split(contradictions())
    guard !split.pairs.isEmpty else { return }
    for pair in split.pairs { say("released: \(pair)") }
    try split.release(through: try StoreView(at: settings.redis, keys: settings.keys))
    try drain()
  }

  /// From now on the books take events from this Redis, and let no other be opened until it is done.
  private func takeBooks(_ fence: Fence) throws {
    let redis = try stream.identity()
    try sitOut(redis, fence)
    let deadline = ContinuousClock.now + .milliseconds(Self.otherMsMax)
    while true {
      let reason = try control.grant(
        opening: redis.name, leaseMs: Self.ownMs, to: "rebuild"
      ) { nil }
      guard let reason else { return }
      guard ContinuousClock.now < deadline else {
        throw Refusal(description: "\(reason): end its sale first, or wait")
      }
      usleep(200_000)
    }
  }

  /// Another Redis whose opening has no end in the books may sell as long as it can be reached.
  private func sitOut(_ redis: RedisIdentity, _ fence: Fence) throws {
    guard let other = try control.bookedOpening(), other.redis != redis.name,
      other.leaseLeftMs == nil
    else { return }
    let deadline = ContinuousClock.now + .milliseconds(Self.votersMsMax)
    // An empty one does not know who was there, and so not who still is with the other.
    while !settings.othersAreOff, try fence.epoch == nil || !stream.hasVoters(runID: redis.runID) {
      if fence.epoch != nil, ContinuousClock.now < deadline {
        usleep(200_000)
        continue
      }
      throw Refusal(
        description:
          "the books have opened another Redis, \(other.redis), which may still sell, and "
          + (fence.epoch == nil ? "this one knows nothing of it" : "no server has come here")
          + ": when it is off for certain, as after a restart of the same, say so with "
          + "--others-are-off")
    }
    // The replica that took its place, or has its files: its end may be known to it alone.
    guard redis.wasReplica || fence.hasEnd, settings.leaseMs > 0, !settings.othersAreOff else {
      return
    }
    let waitMs = Lease.patienceMs(settings.leaseMs)
    say("waiting for \(waitMs) ms, in which another Redis may still sell")
    usleep(UInt32(waitMs * 1_000))
  }

  /// Entries of the stream that the books do not know yet; nil: Redis cannot tell how many.
  private func unapplied() throws -> Int? {
    let group =
      try stream.newestID() == StreamID(ms: 0, sequence: 0)
      ? nil : stream.groups().first { $0.name == KeySpace.group }
    guard let group else { return 0 }
    if group.lastDelivered >= (try stream.newestID()) { return group.pending }
    return group.lag.map { $0 + group.pending }
  }

  private func drain() throws {
    let deadline = ContinuousClock.now + .milliseconds(Self.drainMsMax)
    while true {
      let left = try unapplied()
      if left == 0 { return }
      guard ContinuousClock.now < deadline else {
        throw Refusal(
          description: "\(left.map { "\($0)" } ?? "some") entries of the stream are not in the "
            + "books: let a worker run until they are")
      }
      usleep(100_000)
    }
  }

  private func newestOfBooks(_ nowMs: UInt64) throws -> StreamID? {
    try control.newestStreamID(nowMs: nowMs).map { StreamID(ms: $0.ms, sequence: $0.sequence) }
  }

  private func beginEpoch() throws -> Epoch {
    guard let books = try control.bookedEpoch() else {
      throw Refusal(description: "the books have lost their name")
    }
    return Epoch(deployment: books.deployment, number: try control.beginRebuild())
  }
}
