import ArgumentParser
import Audit
import Dispatch
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
struct Stockworker: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stockworker",
    abstract: "Writes the events of the sale into PostgreSQL, each exactly once.",
    discussion: """
      Makes and updates the tables by itself, and keeps trying while Redis or PostgreSQL is away.
      Any number of workers may run, each under a name of its own.
      Each setting can stand in the file, in the environment or on the command line; the later of
      these wins.
      SIGTERM or SIGINT: finishes the batch at hand, then exits 0.
      Exits 1 when the database belongs to a newer program.
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

  func validate() throws {
    if acceptLoss, !rebuild { throw ValidationError("--accept-loss goes with --rebuild") }
  }

  func run() throws {
    let (settings, audit, level, report) = try options.settings()
    if options.checkConfig { return print(report) }
    LoggingSystem.bootstrap(StreamLogHandler.standardError)
    var logger = Logger(label: "stockworker")
    logger.logLevel = level

    if let migrateTo { return try migrate(settings, to: migrateTo) }
    if rebuild { return try rebuildRedis(settings) }
    let stop = StopFlag()
    let signals = try StopSignal.source { stop.raise() }
    defer { signals.cancel() }
    logger.notice(
      "starting",
      metadata: ["redis": "\(settings.redis)", "database": "\(settings.database)"])
    let auditing = DispatchGroup()
    if let audit {
      DispatchQueue(label: "stockworker.audit").async(group: auditing) { [logger] in
        ContinuousAudit(audit, stop: stop, logger: logger).run()
      }
    }
    do {
      try Projection(settings, stop: stop, logger: logger) { Supervisor.tell("READY=1") }.run()
    } catch {
      logger.critical("\(error)")
      throw ExitCode.failure
    }
    auditing.wait()
    logger.notice("stopped")
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
    wanted.retentionMs = settings.retentionMs
    do {
      let rebuild = try Rebuild(wanted) { print($0) }
      print(try rebuild.plan())
      guard acceptLoss else {
        return print("Nothing was changed.  Add --accept-loss to rebuild.")
      }
      let epoch = try rebuild.run()
      print("Redis is rebuilt in epoch \(epoch).  A running worker opens it within a second.")
    } catch {
      throw ValidationError("not rebuilt: \(error)")
    }
  }
}
