import RPC
import Wire

extension Sale {
  /// Says whether this shard sells, and what is weaker than promised.
  func checkHealth(_ call: Call) {
    if let reason = store.downReason {
      return call.reply(
        HealthCheckReply(status: .notServing, warnings: [reason], version: version))
    }
    var warnings = store.warnings
    if !store.placing { warnings.append("redis is near its memory limit: no new holds") }
    call.reply(
      HealthCheckReply(
        status: warnings.isEmpty ? .serving : .degraded, warnings: warnings, version: version))
  }
}

/// The version of the programs, as `--version` and the health check say it.
public let version = "0.1.0"
