import ArgumentParser
import FoundationEssentials
import Glibc
import HotPath
import Inventory
import Logging
import Loop
import RPC
import Reservations
import Settings
import Wire

/// The server: settings and assembly only.
@main
struct Stockd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stockd",
    abstract: "Sells limited stock to a crowd without ever selling a unit twice.",
    discussion: """
      Each setting can stand in the file, in the environment or on the command line; the later of \
      these wins.  SIGTERM, SIGINT or SIGQUIT: answers what was accepted, then exits 0.  Other signals \
      change nothing: settings are read at the start alone.
      """,
    version: Release.version)

  /// What is in flight at SIGTERM is given this long.
  static let graceMs: UInt64 = 10_000
  /// Descriptors that connections cannot take: the links to Redis must find one when they reconnect.
  static let descriptorsKept = 64

  @OptionGroup var options: ServerFlags

  func run() async throws {
    let (settings, report) = try options.settings()
    if options.checkConfig { return print(report) }
    LoggingSystem.bootstrap(StreamLogHandler.standardError)
    var logger = Logger(label: "stockd")
    logger.logLevel = settings.logLevel

    let descriptors = raiseDescriptorLimit()
    StopSignal.ignoreOthers()
    let (stop, told) = AsyncStream.makeStream(of: Void.self)
    let signals = try StopSignal.source(hangup: { [logger] in
      logger.notice("SIGHUP changes nothing: settings are read at the start alone")
    }) { told.finish() }
    defer { signals.cancel() }
    let running = try await start(settings, descriptors, logger)
    Supervisor.tell("READY=1")
    let watchdog = Task {
      await Supervisor.keepTold {
        for shard in running { await shard.comesRound() }
        return true
      }
    }
    for await _ in stop {}
    Supervisor.tell("STOPPING=1")
    watchdog.cancel()
    logger.notice("stopping: answering what was accepted")
    await withTaskGroup { group in
      for shard in running { group.addTask { await shard.stop(graceMs: Self.graceMs) } }
    }
    logger.notice("stopped")
  }

  private func start(
    _ settings: ServerFlags.Effective, _ descriptors: Int, _ logger: Logger
  ) async throws -> [Shard] {
    let count =
      settings.shards > 0
      ? settings.shards : max(1, ProcessInfo.processInfo.activeProcessorCount / 2)
    let incarnation = String(UInt64.random(in: .min ... .max), radix: 36)
    var shardSettings = settings.shard
    let room = max(1, (descriptors - Self.descriptorsKept) / count)
    if room < shardSettings.server.connectionsMax {
      shardSettings.limit(connections: room)
      logger.warning(
        "the limit of open files leaves room for few connections",
        metadata: [
          "files": "\(descriptors)", "connections": "\(shardSettings.server.connectionsMax)",
        ])
    }
    let first = Shard(shardSettings, incarnation: incarnation, number: 0, logger: logger)
    var running = [first]
    let listening: Server.Listening
    do {
      listening = try await first.start()
      for number in 1..<max(count, 1) {
        let shard = Shard(
          shardSettings, incarnation: incarnation, number: number, logger: logger)
        _ = try await shard.start(with: listening)
        running.append(shard)
      }
    } catch {
      logger.critical("cannot listen", metadata: ["error": "\(error)"])
      throw ExitCode.failure
    }
    for shard in running { await shard.know(running.filter { $0 !== shard }) }
    let addresses = listening.addresses.map(\.description).joined(separator: ", ")
    logger.notice(
      "listening on \(addresses)",
      metadata: [
        "shards": "\(count)", "redis": "\(shardSettings.store.address)",
        "version": "\(Release.version)",
      ])
    return running
  }
}

extension Shard.Settings {
  /// Lowers the limit on connections to what the limit of open files leaves.
  fileprivate mutating func limit(connections: Int) {
    server.connectionsMax = connections
    for place in inForce.indices where inForce[place].name == "connections-max" {
      inForce[place].value = "\(connections)"
      inForce[place].origin = "limit of open files"
    }
  }
}
