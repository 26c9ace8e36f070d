import HotPath
import Logging

/// Looks at the stream every second: says how far the books are, raises alarms, and trims.  It needs
/// no PostgreSQL, since figures matter most while that is away.
///
/// One thread at a time; `run` keeps the thread until the flag is raised.
final class Watch {
  private let settings: Projection.Settings
  private let logger: Logger
  private let stop: StopFlag
  private let progress: Progress
  private let trimming: Trimming
  private let everyMs: UInt64
  private var trim: Cadence
  private var behind = Cadence(everyMs: ProjectionLimits.alarmEveryMs)
  private var isBehind = false
  private var outage = Outage()
  private var miscount = Outage()
  private var strangers: Set<String> = []
  private var missing: Set<String> = []
  private var stalls: StalledGroups
  private var stalled: Set<String> = []
  private var namesake = Namesake()

  init(
    _ settings: Projection.Settings, stop: StopFlag, progress: Progress, logger: Logger
  ) {
    self.settings = settings
    self.stop = stop
    self.progress = progress
    stalls = StalledGroups(afterMs: settings.stalledAfterMs)
    self.logger = logger
    trimming = Trimming(groups: settings.groups, windowMs: settings.trimWindowMs)
    let trimEveryMs = min(ProjectionLimits.trimEveryMs, max(50, settings.trimWindowMs / 4))
    trim = Cadence(everyMs: trimEveryMs)
    everyMs = min(ProjectionLimits.figuresEveryMs, trimEveryMs)
  }

  private static let name = "watch"

  func run() {
    defer { progress.pulse.end(of: Self.name) }
    while !stop.isRaised {
      progress.pulse.beat(of: Self.name)
      do throws(StreamFault) {
        try follow()
      } catch {
        outage.began("redis does not let the stream be watched", error.description, logger)
        stop.sleep(ms: everyMs)
      }
    }
  }

  private func follow() throws(StreamFault) {
    let stream = try EventStream(
      at: settings.redis, keys: settings.keys, consumer: settings.name)
    try stream.makeGroup()
    let nowMs = try stream.time()
    try stream.takeAwayNames(before: nowMs - min(nowMs, ProjectionLimits.nameForgottenMs))
    while !stop.isRaised {
      progress.pulse.beat(of: Self.name)
      try recount(stream)
      let verdict = try trimming.judge(stream)
      let stalledNow = stalls.look(at: verdict.waiting, nowMs: verdict.nowMs)
      report(verdict, stalledNow)
      try lookForNamesake(stream, verdict.nowMs)
      try publish(verdict, stalledNow, of: stream)
      // Of another shop's stream we do not know which groups are to be waited for.
      if trim.isDue(), progress.figures.notTaken == nil, let floor = verdict.floor {
        try removeEntries(of: stream, before: floor)
      }
      outage.ended("the stream is watched again", logger)
      stop.sleep(ms: everyMs)
    }
    try stream.takeAway(settings.name, with: namesake.word)
  }

  private func lookForNamesake(_ stream: EventStream, _ nowMs: UInt64) throws(StreamFault) {
    let found = try stream.sign(settings.name, with: namesake.word, nowMs: nowMs)
    let isThere = namesake.look(at: found, nowMs: nowMs)
    guard isThere != progress.figures.hasNamesake else { return }
    progress.update { $0.hasNamesake = isThere }
    if isThere {
      logger.error(
        "ALARM: another worker has the same name: each needs one of its own (--name)",
        metadata: ["name": "\(settings.name)"])
    } else {
      logger.notice("no other worker has the same name any more")
    }
  }

  /// Ids say that nothing waits, but not how much does: that is counted right only once Redis's own
  /// counter is.  Where Redis does not let it be put right, as with an older list of users, the figures
  /// of a stream that is read on are too large.
  private func recount(_ stream: EventStream) throws(StreamFault) {
    do throws(StreamFault) {
      if try stream.recount() {
        logger.notice("redis counted wrongly what waits for the books: its count is put right")
        miscount.ended(nil, logger)
      }
    } catch {
      // One that refuses every write is no matter of this user's rights.
      guard case .refused(let reason) = error, error.refusalToWrite == nil else { throw error }
      miscount.began("redis does not let its count of the group be put right", reason, logger)
    }
  }

  /// Says what is wrong with the groups, once each time it begins.
  private func report(_ verdict: Trimming.Verdict, _ stalledNow: [String]) {
    for name in verdict.strangers where strangers.insert(name).inserted {
      logger.error(
        "ALARM: a consumer group that the worker does not know; trimming does not wait for it",
        metadata: ["group": "\(name)"])
    }
    strangers.formIntersection(verdict.strangers)
    for name in verdict.missing where missing.insert(name).inserted {
      logger.error(
        "ALARM: the stream is not trimmed: a group that trimming waits for does not exist",
        metadata: ["group": "\(name)"])
    }
    missing.formIntersection(verdict.missing)
    for name in stalledNow where stalled.insert(name).inserted {
      logger.error(
        "ALARM: the stream is not trimmed: a group that trimming waits for does not move",
        metadata: ["group": "\(name)", "ms": "\(settings.stalledAfterMs)"])
    }
    for name in stalled.subtracting(stalledNow) {
      stalled.remove(name)
      logger.notice("a group that stood still moves again", metadata: ["group": "\(name)"])
    }
  }

  private func publish(
    _ verdict: Trimming.Verdict, _ stalledNow: [String], of stream: EventStream
  ) throws(StreamFault) {
    guard let books = verdict.books else { return }
    let lengths = try stream.lengths()
    let oldest = try stream.oldest(after: books.applied)
    let ageMs = oldest.map { verdict.nowMs - min($0.ms, verdict.nowMs) } ?? 0
    let dead = lengths.dead.map { "\($0)" } ?? "unknown"
    let lag = books.group.lag.map { "\($0)" } ?? "unknown"
    try stream.publish([
      ("lag_entries", lag),
      ("pending_entries", "\(books.group.pending)"),
      ("oldest_age_ms", "\(ageMs)"),
      ("applied_to", "\(books.applied)"),
      ("stream_entries", "\(lengths.events)"),
      ("dead_letters", dead),
      ("unknown_groups", verdict.strangers.joined(separator: ",")),
      ("missing_groups", verdict.missing.joined(separator: ",")),
      ("stalled_groups", stalledNow.joined(separator: ",")),
      ("worker", settings.name),
      ("at", "\(verdict.nowMs)"),
    ])
    progress.update {
      $0.lagEntries = books.group.lag
      $0.pendingEntries = books.group.pending
      $0.oldestAgeMs = ageMs
      $0.appliedTo = "\(books.applied)"
      ($0.streamEntries, $0.deadLetters) = lengths
      ($0.unknownGroups, $0.missingGroups) = (verdict.strangers, verdict.missing)
      $0.stalledGroups = stalledNow
    }
    let figures: Logger.Metadata = [
      "lag_entries": "\(lag)", "pending_entries": "\(books.group.pending)",
      "oldest_age_ms": "\(ageMs)", "dead_letters": "\(dead)",
    ]
    logger.debug("how far the books are", metadata: figures)
    if ageMs >= ProjectionLimits.behindMs {
      isBehind = true
      if behind.isDue() { logger.warning("the books are behind", metadata: figures) }
    } else if isBehind {
      isBehind = false
      logger.notice("the books are up to date again", metadata: figures)
    }
  }

  private func removeEntries(
    of stream: EventStream, before floor: StreamID
  ) throws(StreamFault) {
    var removed = 0
    repeat {
      progress.pulse.beat(of: Self.name)
      removed = try stream.trim(before: floor, entriesMax: ProjectionLimits.trimEntriesMax)
    } while removed > 0 && !stop.isRaised
  }
}
