import ArgumentParser
import Dispatch
import FoundationEssentials
import Glibc
import HotPath
import Inventory
import Logging
import RPC
import Reservations

/// The server: settings and assembly only.
@main
struct Stockd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stockd",
    abstract: "Sells limited stock to a crowd without ever selling a unit twice.",
    discussion: """
      Each setting can also come from the environment; a flag wins.
      SIGTERM or SIGINT: answers what was accepted, then exits 0.
      """,
    version: version)

  @Option(help: "Where to listen, host:port. [STOCK_LISTEN]")
  var listen = environment("STOCK_LISTEN") ?? "127.0.0.1:7420"

  // The environment is read later for this one: --help prints defaults, and it holds a password.
  @Option(help: "redis://[user:password@]host:port[/db] or unix:/path. [REDIS_URL]")
  var redis: String?

  @Option(help: "Shards; 0: one for every two cores. [STOCK_SHARDS]")
  var shards = environment("STOCK_SHARDS").flatMap { Int($0) } ?? 0

  @Option(help: "Life of a hold whose caller names none, in milliseconds. [STOCK_HOLD_MS]")
  var holdMs = environment("STOCK_HOLD_MS").flatMap { UInt64($0) } ?? Limits.holdMsDefault

  @Option(
    help: "How long Redis remembers a finished hold, in milliseconds. [STOCK_RETENTION_MS]")
  var retentionMs =
    environment("STOCK_RETENTION_MS").flatMap { UInt64($0) } ?? Limits.retentionMsDefault

  @Option(help: "trace, debug, info, notice, warning, error. [STOCK_LOG_LEVEL]")
  var logLevel = environment("STOCK_LOG_LEVEL") ?? "info"

  /// What is in flight at SIGTERM is given this long.
  static let graceMs: UInt64 = 10_000

  /// Descriptors that connections cannot take: the links to Redis must find one when they reconnect.
  static let descriptorsKept = 64

  func run() async throws {
    let settings = try settings()
    guard let level = Logger.Level(rawValue: logLevel) else {
      throw ValidationError("--log-level: '\(logLevel)' is not a level")
    }
    LoggingSystem.bootstrap(StreamLogHandler.standardError)
    var logger = Logger(label: "stockd")
    logger.logLevel = level

    let descriptors = raiseDescriptorLimit()
    let stop = StopSignal()
    let running = try await start(settings, descriptors, logger)
    await stop.wait()
    logger.notice("stopping: answering what was accepted")
    await withTaskGroup { group in
      for shard in running { group.addTask { await shard.stop(graceMs: Self.graceMs) } }
    }
    logger.notice("stopped")
  }

  private func settings() throws -> Shard.Settings {
    guard let address = Address(listen) else {
      throw ValidationError("--listen: '\(listen)' is not host:port")
    }
    let url = redis ?? environment("REDIS_URL") ?? "redis://127.0.0.1:6379"
    guard let redis = RedisAddress(url) else {
      throw ValidationError(
        "--redis: not redis://[user:password@]host:port[/db] and not unix:/path")
    }
    guard (0...64).contains(shards) else { throw ValidationError("--shards: 0 to 64") }
    guard (Limits.holdMsMin...Limits.holdMsMax).contains(holdMs) else {
      throw ValidationError("--hold-ms: \(Limits.holdMsMin) to \(Limits.holdMsMax)")
    }
    guard (60_000...(90 * 86_400_000)).contains(retentionMs) else {
      throw ValidationError("--retention-ms: one minute to ninety days")
    }
    var store = Store.Settings(address: redis)
    store.retentionMs = retentionMs
    store.retentionCancelledMs = min(retentionMs, Limits.retentionCancelledMsDefault)
    var settings = Shard.Settings(address: address, store: store)
    settings.holdMsDefault = holdMs
    return settings
  }

  private func start(
    _ settings: Shard.Settings, _ descriptors: Int, _ logger: Logger
  ) async throws -> [Shard] {
    let count = shards > 0 ? shards : max(1, ProcessInfo.processInfo.activeProcessorCount / 2)
    let incarnation = String(UInt64.random(in: .min ... .max), radix: 36)
    var settings = settings
    settings.connectionsMax = min(
      settings.connectionsMax, max(1, (descriptors - Self.descriptorsKept) / count))
    if settings.connectionsMax < RPCLimits.connectionsMax {
      logger.warning(
        "the limit of open files leaves room for few connections",
        metadata: ["files": "\(descriptors)", "connections": "\(settings.connectionsMax)"])
    }
    var running: [Shard] = []
    for place in 0..<count {
      let shard = Shard(settings, writer: "\(incarnation).\(place)", logger: logger)
      do {
        let port = try await shard.start()
        // Shards after the first share its port, also when that was any free one.
        settings.address = Address(host: settings.address.host, port: port)
      } catch {
        logger.critical("cannot listen on \(settings.address)", metadata: ["error": "\(error)"])
        throw ExitCode.failure
      }
      running.append(shard)
    }
    logger.notice(
      "listening on \(settings.address)",
      metadata: [
        "shards": "\(count)", "redis": "\(settings.store.address)", "version": "\(version)",
      ])
    return running
  }
}

/// Takes all the descriptors that the system allows.
/// - Returns: how many.
private func raiseDescriptorLimit() -> Int {
  var limit = rlimit()
  let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  guard getrlimit(files, &limit) == 0 else { return 1_024 }
  limit.rlim_cur = limit.rlim_max
  setrlimit(files, &limit)
  getrlimit(files, &limit)
  return Int(clamping: limit.rlim_cur)
}

private func environment(_ name: String) -> String? {
  getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
}

/// Waits for SIGTERM or SIGINT.
private struct StopSignal {
  private let sources: [any DispatchSourceSignal]
  private let arrived: AsyncStream<Void>

  init() {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
    arrived = stream
    sources = [SIGTERM, SIGINT].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { continuation.yield() }
      source.activate()
      return source
    }
    signal(SIGPIPE, SIG_IGN)
  }

  func wait() async {
    for await _ in arrived { return }
  }
}
