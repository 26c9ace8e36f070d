import Dispatch
public import HotPath
public import Ledger
public import Logging
import Synchronization

/// Carries the events of the stream into the books.
///
/// How it works.  Some lanes, each a thread with a consumer, a Redis and a PostgreSQL connection of its
/// own, take whatever entries come next: the books need no order.  One watch beside them trims the
/// stream and says how far the worker is, also while PostgreSQL is away.
///
/// `run` keeps its thread until it is told to stop.
public final class Projection: Sendable {
  /// What can be set.
  public struct Settings: Sendable {
    /// Where the stream is.
    public var redis: RedisAddress
    /// Where the books are.
    public var database: DatabaseAddress
    /// Who reads.  The same name after a restart finds its own pending entries.
    public var name: String
    /// The keys of the partition.
    public var keys = KeySpace()
    /// Groups that trimming waits for.
    public var groups = [KeySpace.group]
    /// Lines from the stream to the books.
    public var lanes = ProjectionLimits.lanesDefault
    /// Bytes of events in one transaction, about.
    public var batchBytes = ProjectionLimits.batchBytesDefault
    /// Milliseconds for which a lane leaves events to gather after a transaction.
    public var gatherMs = ProjectionLimits.gatherMsDefault
    /// Milliseconds after which another consumer's entries are taken over.
    public var reclaimAfterMs = ProjectionLimits.reclaimAfterMsDefault
    /// Milliseconds for which applied entries stay in the stream.
    public var trimWindowMs = ProjectionLimits.trimWindowMsDefault
    /// Milliseconds after which a group that trimming waits for, and that does not move, is an alarm.
    public var stalledAfterMs = ProjectionLimits.stalledAfterMsDefault
    /// Milliseconds for which the opening of a Redis with replicas holds without being renewed; 0: it does
    /// not end, and a person sees to it that only one is a master.
    public var leaseMs = Lease.msDefault
    /// Milliseconds for which Redis remembers finished holds: a rebuild brings no older ones back.
    public var retentionMs: UInt64 = 86_400_000
    /// How long PostgreSQL may take.
    public var limits = Postgres.Limits.standard

    /// Settings with the defaults.
    public init(redis: RedisAddress, database: DatabaseAddress, name: String) {
      (self.redis, self.database, self.name) = (redis, database, name)
    }

    /// Who reads in one lane.  The first has the worker's own name.
    func consumer(of lane: Int) -> String { lane == 0 ? name : "\(name)/\(lane + 1)" }
  }

  private let settings: Settings
  private let logger: Logger
  private let stop: StopFlag
  private let progress: Progress
  private let ready: @Sendable () -> Void

  /// A projection that `stop` will end.
  /// - Parameters:
  ///   - progress: is told how far it is.
  ///   - ready: called once, from any thread, when tables and group have been found or made.
  public init(
    _ settings: Settings, stop: StopFlag, progress: Progress, logger: Logger,
    ready: @escaping @Sendable () -> Void = {}
  ) {
    self.ready = ready
    self.settings = settings
    self.stop = stop
    self.progress = progress
    self.logger = logger
  }

  /// Applies events until `stop` is raised, and then ends after the batches at hand.  While a store is
  /// away it keeps trying.
  /// - Throws: `MigrationError` only, when the database belongs to a newer program.
  public func run() throws {
    let failure = Mutex<MigrationError?>(nil)
    let isReady = Atomic(false)
    let (settings, stop, progress) = (settings, stop, progress)
    let (logger, ready) = (logger, ready)
    DispatchQueue.concurrentPerformOnThreads(settings.lanes + 2) { number in
      guard number < settings.lanes else {
        return number == settings.lanes
          ? Watch(settings, stop: stop, progress: progress, logger: logger).run()
          : Opener(settings, stop: stop, progress: progress, logger: logger).run()
      }
      let lane = Lane(settings, number: number, stop: stop, logger: logger) {
        guard
          isReady.compareExchange(
            expected: false, desired: true, ordering: .relaxed
          ).exchanged
        else { return }
        progress.update { $0.isReady = true }
        logger.notice("ready", metadata: ["name": "\(settings.name)"])
        ready()
      }
      do throws(MigrationError) {
        try lane.run()
      } catch {
        failure.withLock { $0 = error }
        stop.raise()
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure }
  }
}

extension DispatchQueue {
  /// Runs a body so often at once, each time on a thread of its own, and returns when all have ended.
  fileprivate static func concurrentPerformOnThreads(
    _ count: Int, _ body: @escaping @Sendable (Int) -> Void
  ) {
    let group = DispatchGroup()
    for number in 0..<count {
      // A serial queue for each: a blocked one never keeps another waiting.
      DispatchQueue(label: "stockworker.\(number)").async(group: group) { body(number) }
    }
    group.wait()
  }
}
