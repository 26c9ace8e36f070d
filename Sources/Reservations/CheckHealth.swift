import RPC
import Wire

extension Sale {
  /// The services that do without a store; `Connection` has no methods in the table.
  static let storeless: Set = [
    "stock.v1.Connection", "stock.v1.Diagnostics", "stock.v1.Health", "stock.v1.Reflection",
  ]

  /// Says whether this shard is ready to sell, and what is weaker than promised; a service that does
  /// without a store is always ready.  Whether the process
  /// lives is another question: `Connection/Ping` answers it, whatever Redis does.
  func checkHealth(_ call: Call) throws(Status) {
    let request = try HealthCheckRequest(call.message, arena: call.arena)
    guard request.service.isEmpty || services.contains(request.service) else {
      throw Status(
        .notFound, reason: "UNKNOWN_SERVICE", message: "No such service is served here.",
        field: "service")
    }
    guard !Self.storeless.contains(request.service) else {
      return call.reply(
        HealthCheckReply(status: .serving, warnings: [], version: Release.version))
    }
    if let reason = store.downReason ?? acknowledging.refusal {
      return call.reply(
        HealthCheckReply(status: .notServing, warnings: [reason], version: Release.version))
    }
    var warnings = store.warnings
    if let refusal = store.placing.refusal { warnings.append(refusal) }
    call.reply(
      HealthCheckReply(
        status: warnings.isEmpty ? .serving : .degraded, warnings: warnings,
        version: Release.version))
  }
}
