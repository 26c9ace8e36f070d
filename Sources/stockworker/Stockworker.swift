import ArgumentParser
import Dispatch
import Glibc
import HotPath
import Ledger
import Logging
import Projection

/// The worker: settings and assembly only.
@main
struct Stockworker: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stockworker",
    abstract: "Writes the events of the sale into PostgreSQL, each exactly once.",
    discussion: """
      Makes and updates the tables by itself, and keeps trying while Redis or PostgreSQL is away.
      Any number of workers may run, each under a name of its own.
      Each setting can also come from the environment; a flag wins.
      SIGTERM or SIGINT: finishes the batch at hand, then exits 0.
      Exits 1 when the database belongs to a newer program.
      """)

  // The environment is read later for these two: --help prints defaults, and they hold passwords.
  @Option(help: "redis://[user:password@]host:port[/db] or unix:/path. [REDIS_URL]")
  var redis: String?

  @Option(help: "postgresql://[user:password@]host:port/database. [DATABASE_URL]")
  var database: String?

  @Option(
    help: "Who reads: keep it over a restart, and no two alike. [STOCK_WORKER_NAME, host name]")
  var name = environment("STOCK_WORKER_NAME") ?? hostName()

  @Option(
    help: "Milliseconds after which entries of a silent worker are taken over. [STOCK_RECLAIM_MS]")
  var reclaimAfter =
    environment("STOCK_RECLAIM_MS").flatMap { UInt64($0) }
    ?? ProjectionLimits.reclaimAfterMsDefault

  @Option(
    help: "Milliseconds for which applied events stay in the stream. [STOCK_TRIM_WINDOW_MS]")
  var trimWindow =
    environment("STOCK_TRIM_WINDOW_MS").flatMap { UInt64($0) }
    ?? ProjectionLimits.trimWindowMsDefault

  @Option(help: "A further consumer group that trimming waits for; repeatable.")
  var waitForGroup: [String] = []

  @Option(help: "Bytes of events in one transaction, about. [STOCK_BATCH_BYTES]")
  var batchBytes =
    environment("STOCK_BATCH_BYTES").flatMap { Int($0) } ?? ProjectionLimits.batchBytesDefault

  @Option(help: "trace, debug, info, notice, warning, error. [STOCK_LOG_LEVEL]")
  var logLevel = environment("STOCK_LOG_LEVEL") ?? "info"

  func run() throws {
    let settings = try settings()
    guard let level = Logger.Level(rawValue: logLevel) else {
      throw ValidationError("--log-level: '\(logLevel)' is not a level")
    }
    LoggingSystem.bootstrap(StreamLogHandler.standardError)
    var logger = Logger(label: "stockworker")
    logger.logLevel = level

    let stop = StopFlag()
    let signals = [SIGTERM, SIGINT].map { raise(stop, on: $0) }
    defer { for signal in signals { signal.cancel() } }
    logger.notice(
      "starting",
      metadata: ["redis": "\(settings.redis)", "database": "\(settings.database)"])
    do {
      try Projection(settings, stop: stop, logger: logger).run()
    } catch {
      logger.critical("\(error)")
      throw ExitCode.failure
    }
    logger.notice("stopped")
  }

  private func settings() throws -> Projection.Settings {
    let redisURL = redis ?? environment("REDIS_URL") ?? "redis://127.0.0.1:6379"
    let databaseURL = database ?? environment("DATABASE_URL") ?? "postgresql:///stockstream"
    guard let redis = RedisAddress(redisURL) else {
      throw ValidationError(
        "--redis: not redis://[user:password@]host:port[/db] and not unix:/path")
    }
    guard let database = DatabaseAddress(databaseURL) else {
      throw ValidationError("--database: not a PostgreSQL address")
    }
    guard (1...128).contains(name.utf8.count) else {
      throw ValidationError("--name: 1 to 128 bytes")
    }
    guard (100...86_400_000).contains(reclaimAfter) else {
      throw ValidationError("--reclaim-after: 100 ms to one day")
    }
    guard trimWindow <= 30 * 86_400_000 else {
      throw ValidationError("--trim-window: 0 ms to thirty days")
    }
    guard (1...ProjectionLimits.batchBytesMax).contains(batchBytes) else {
      throw ValidationError("--batch-bytes: 1 to \(ProjectionLimits.batchBytesMax)")
    }
    var settings = Projection.Settings(redis: redis, database: database, name: name)
    settings.groups += waitForGroup
    settings.reclaimAfterMs = reclaimAfter
    settings.trimWindowMs = trimWindow
    settings.batchBytes = batchBytes
    return settings
  }
}

private func raise(_ stop: StopFlag, on number: Int32) -> any DispatchSourceSignal {
  signal(number, SIG_IGN)  // so that only the source hears it
  let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
  source.setEventHandler { stop.raise() }
  source.activate()
  return source
}

private func environment(_ name: String) -> String? {
  getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
}

private func hostName() -> String {
  var bytes = [CChar](repeating: 0, count: 256)
  guard gethostname(&bytes, bytes.count - 1) == 0 else { return "stockworker" }
  return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
