public import RPC
public import Wire

extension MethodTable {
  /// The services that do without a store; `Connection` has no methods in the table.
  private static let storeless: Set = [
    "stock.v1.Connection", "stock.v1.Diagnostics", "stock.v1.Health", "stock.v1.Reflection",
  ]

  /// Adds `Health/Check`, after all other methods: it knows their services.
  ///
  /// A service that does without a store is always ready.  Whether the process lives is another
  /// question: `Connection/Ping` answers it, whatever the stores do.
  /// - Parameter readiness: whether the services that need a store are ready, and what is weaker than
  ///   promised; is given the name of a method, where only that is asked about, or an empty text.
  public mutating func onHealthCheck(_ readiness: @escaping (String) -> HealthCheckReply) {
    let served = services.union(Self.storeless)
    let methods = Set(names)
    on(HealthCheckRequest.method) { (call) throws(Status) in
      let request = try HealthCheckRequest(call.message, arena: call.arena)
      let isMethod = methods.contains(request.service)
      guard request.service.isEmpty || isMethod || served.contains(request.service) else {
        throw Status(
          .notFound, reason: "UNKNOWN_SERVICE",
          message: "No such service or method is served here.",
          field: "service")
      }
      let service = request.service.prefix { $0 != "/" }
      guard !Self.storeless.contains(String(service)) else {
        return call.reply(
          HealthCheckReply(status: .serving, warnings: [], version: Release.version))
      }
      call.reply(readiness(isMethod ? request.service : ""))
    }
  }
}

extension HealthCheckReply {
  /// Ready, unless something is weaker than promised.
  public init(warnings: [String]) {
    self.init(
      status: warnings.isEmpty ? .serving : .degraded, warnings: warnings, version: Release.version)
  }

  /// Not ready, for these reasons.
  public init(notServing reasons: [String]) {
    self.init(status: .notServing, warnings: reasons, version: Release.version)
  }
}
