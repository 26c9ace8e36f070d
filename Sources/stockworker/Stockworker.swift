import Administration
import ArgumentParser
import Audit
import Dispatch
import Glibc
import HotPath
import Ledger
import Logging
import Loop
import Projection
import Recovery
import Settings
import Wire

/// The worker: settings and assembly only.
@main
struct Stockworker: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stockworker",
    abstract: "Writes the events of the sale into PostgreSQL, each exactly once.",
    discussion: """
      Makes and updates the tables by itself, and keeps trying while Redis or PostgreSQL is away.  \
      Any number of workers may run, each under a name of its own and with an address of its own.

      Each setting can stand in the file, in the environment or on the command line; the later of \
      these wins.

      SIGTERM, SIGINT or SIGQUIT: finishes the batch at hand, then exits 0.  Other signals change \
      nothing: settings are read at the start alone.  \
      Exits 1 when the database belongs to a newer program or has another encoding than UTF8, or another \
      program has its address.
      """,
    version: Release.version)

  @OptionGroup var options: WorkerFlags

  @Option(
    help: """
      Bring the tables to this version of them, 'latest' or a number, up or down, and exit. \
      Down loses what the older tables cannot hold; 0 takes all of them away.
      """)
  var migrateTo: String?

  @Flag(
    help: """
      Compare Redis with the books and say what a rebuild of Redis from the books would do, and exit. \
      With --accept-loss, do it.
      """)
  var rebuild = false

  @Flag(
    help: """
      Rebuild although what Redis acknowledged and the books never heard of is lost with it.
      """)
  var acceptLoss = false

  @Flag(
    help: """
      Rebuild from books that two Redis have written: this one's holds stand, and those that it does not \
      know are released, paid ones too.  The dry run names each with its two buyers.
      """)
  var releaseOthers = false

  @Flag(
    help: """
      Rebuild although the books have opened another Redis that may still sell, as far as can be known: \
      a person has made sure that it is off, or that it is this one before a restart.
      """)
  var othersAreOff = false

  @Flag(
    help: """
      Say that the books are new on purpose, beside a Redis that has sold already: give them the name of \
      its deployment, and exit.  What others have taken of its events is not in them.
      """)
  var newBooks = false

  func validate() throws {
    if newBooks, rebuild || migrateTo != nil {
      throw ValidationError("--new-books goes with neither --rebuild nor --migrate-to")
    }
    if acceptLoss, !rebuild { throw ValidationError("--accept-loss goes with --rebuild") }
    if releaseOthers || othersAreOff, !acceptLoss {
      throw ValidationError("this goes with --rebuild --accept-loss")
    }
  }

  func run() async throws {
    let (settings, report) = try options.settings()
    if options.checkConfig { return print(report) }
    LoggingSystem.bootstrap(StreamLogHandler.standardError)
    var logger = Logger(label: "stockworker")
    logger.logLevel = settings.logLevel

    StopSignal.ignoreOthers()
    let stores = settings.server.projection
    if let migrateTo { return try migrate(stores, to: migrateTo) }
    if rebuild { return try orSay("not rebuilt") { try rebuildRedis(stores) } }
    if newBooks {
      return try orSay("not named") {
        print(try NewBooks(in: stores.database, of: stores.redis, keys: stores.keys).name())
      }
    }
    let stop = StopFlag()
    let (stopping, told) = AsyncStream.makeStream(of: Void.self)
    let signals = try StopSignal.source(hangup: { [logger] in
      logger.notice("SIGHUP changes nothing: settings are read at the start alone")
    }) {
      stop.raise()
      told.finish()
    }
    defer { signals.cancel() }
    logger.notice(
      "starting", metadata: ["redis": "\(stores.redis)", "database": "\(stores.database)"])
    let progress = Progress()
    let server = try await listen(settings.server, progress, logger)
    async let drained: Void = {
      for await _ in stopping {}
      await server.stop()
    }()
    let projection = Projection(stores, stop: stop, progress: progress, logger: logger) {
      Supervisor.tell("READY=1")
    }
    let auditing = DispatchGroup()
    if let audit = settings.audit {
      DispatchQueue(label: "stockworker.audit").async(group: auditing) { [logger] in
        ContinuousAudit(audit, stop: stop, logger: logger).run()
      }
    }
    let watchdog = Task {
      await Supervisor.keepTold {
        await server.comesRound()
        return progress.pulse.late.isEmpty
      }
    }
    let outcome = await Self.run(projection)
    watchdog.cancel()
    told.finish()
    await drained
    await Self.ended(auditing)
    do { try outcome.get() } catch {
      logger.critical("\(error)")
      throw ExitCode.failure
    }
    logger.notice("stopped")
  }

  private func listen(
    _ settings: WorkerServer.Settings, _ progress: Progress, _ logger: Logger
  ) async throws -> WorkerServer {
    let server = WorkerServer(settings, progress: progress, logger: logger)
    do {
      let addresses = try await server.start()
      if !addresses.isEmpty {
        logger.notice(
          "listening on \(addresses.map(\.description).joined(separator: ", "))",
          metadata: ["version": "\(Release.version)"])
      }
    } catch {
      logger.critical("cannot listen: \(error)")
      throw ExitCode.failure
    }
    return server
  }

  /// Runs the projection on a thread of its own: it blocks.
  private static func run(_ projection: Projection) async -> Result<Void, any Error> {
    await withCheckedContinuation { continuation in
      DispatchQueue(label: "stockworker.projection").async {
        continuation.resume(returning: Result { try projection.run() })
      }
    }
  }

  private static func ended(_ group: DispatchGroup) async {
    await withCheckedContinuation { continuation in
      group.notify(queue: .global()) { continuation.resume() }
    }
  }

  private func migrate(_ settings: Projection.Settings, to wish: String) throws {
    let version = Int32(wish)
    guard version != nil || wish == "latest" else {
      throw ValidationError("--migrate-to must be 'latest' or a number")
    }
    let database = try Postgres(settings.database, name: "stockworker --migrate-to")
    print("the tables have version \(try database.migrate(to: version))")
  }

  private func rebuildRedis(_ settings: Projection.Settings) throws {
    var wanted = Rebuild.Settings(redis: settings.redis, database: settings.database)
    wanted.retention = settings.retention
    (wanted.releasesOthers, wanted.othersAreOff) = (releaseOthers, othersAreOff)
    wanted.leaseMs = settings.leaseMs
    let rebuild = try Rebuild(wanted) { print($0) }
    print(try rebuild.plan())
    guard acceptLoss else { return print("Nothing was changed.  Add --accept-loss to rebuild.") }
    let epoch = try rebuild.run()
    print("Redis is rebuilt in epoch \(epoch).  A running worker opens it within a second.")
  }

  /// Runs a command that a person waits for; a failure is a sentence and exit code 1.
  private func orSay(_ failure: String, _ body: () throws -> Void) throws {
    do { try body() } catch {
      let text = Array("\(failure): \(error)\n".utf8)
      write(STDERR_FILENO, text, text.count)
      throw ExitCode.failure
    }
  }
}
