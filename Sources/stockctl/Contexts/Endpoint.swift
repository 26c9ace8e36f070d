import ArgumentParser
import RPC

/// Where a command connects, how long it waits, and who said so.
///
/// What stands on the command line outranks the environment, which outranks the current context,
/// which outranks the defaults.  `--context` stands on the command line.  The current context is left
/// aside when the command line or the environment names an address: its timeouts go with its own.
struct Endpoint {
  /// A value with where it comes from.
  struct Sourced<Value> {
    let value: Value
    let from: String
  }

  /// Whom a command asks.
  enum Peer: CaseIterable {
    case server
    case worker

    var addressVariable: String { self == .server ? "STOCK_ADDRESS" : "STOCK_WORKER_ADDRESS" }
    var timeoutVariable: String { self == .server ? "STOCK_TIMEOUT_MS" : "STOCK_WORKER_TIMEOUT_MS" }
    var addressDefault: String { self == .server ? "127.0.0.1:7420" : "127.0.0.1:7421" }
    var timeoutMsDefault: UInt32 { self == .server ? 5_000 : 60_000 }
    var addressFlag: String { self == .server ? "--address" : "--worker-address" }

    func address(in context: Context) -> String? {
      self == .server ? context.address : context.workerAddress
    }

    func timeoutMs(in context: Context) -> UInt32? {
      self == .server ? context.timeoutMs : context.workerTimeoutMs
    }
  }

  let address: Address
  let timeoutMs: UInt32
  let addressFrom: String
  let timeoutFrom: String

  /// - Parameters: what the command line says.
  /// - Throws: `ValidationError`.
  init(
    of peer: Peer, address: String?, timeoutMs: UInt32?, context named: String?
  ) throws {
    let addressSaid = address ?? (named == nil ? environment(peer.addressVariable) : nil)
    let context =
      named != nil || addressSaid == nil ? try ActiveContext.find(named: named) : nil
    let place = try Self.address(of: peer, flag: address, named: named, context)
    guard let parsed = Address(place.value) else {
      throw ValidationError("\(place.from): '\(place.value)' is not host:port and not unix:/path")
    }
    let wait = try Self.timeout(of: peer, flag: timeoutMs, named: named, context)
    guard wait.value > 0 else { throw ValidationError("\(wait.from): at least 1 millisecond") }
    (self.address, addressFrom) = (parsed, place.from)
    (self.timeoutMs, timeoutFrom) = (wait.value, wait.from)
  }

  private static func address(
    of peer: Peer, flag: String?, named: String?, _ context: ActiveContext?
  ) throws -> Sourced<String> {
    if let flag { return Sourced(value: flag, from: "--address") }
    if named == nil, let said = environment(peer.addressVariable) {
      return Sourced(value: said, from: peer.addressVariable)
    }
    guard let context else {
      return Sourced(value: peer.addressDefault, from: "default")
    }
    // Never the default of this machine: the context is about another shop.
    guard let text = peer.address(in: context.context) else {
      throw ValidationError(
        """
        context '\(context.name)' names no \(peer == .server ? "server" : "worker"): say --address, \
        or stockctl context add \(context.name) --replace with \(peer.addressFlag)
        """)
    }
    return Sourced(value: text, from: "context \(context.name)")
  }

  private static func timeout(
    of peer: Peer, flag: UInt32?, named: String?, _ context: ActiveContext?
  ) throws -> Sourced<UInt32> {
    if let flag { return Sourced(value: flag, from: "--timeout-ms") }
    let stored = context.flatMap { context in
      peer.timeoutMs(in: context.context).map {
        Sourced(value: $0, from: "context \(context.name)")
      }
    }
    if named != nil, let stored { return stored }
    if let said = environment(peer.timeoutVariable) {
      guard let ms = UInt32(said) else {
        throw ValidationError("\(peer.timeoutVariable): '\(said)' is no number of milliseconds")
      }
      return Sourced(value: ms, from: peer.timeoutVariable)
    }
    return stored ?? Sourced(value: peer.timeoutMsDefault, from: "default")
  }
}

/// The context that a command works in.
struct ActiveContext {
  let name: String
  let context: Context
  let from: String

  /// - Parameter named: by the command line.
  /// - Returns: nil: there is none.
  /// - Throws: `ValidationError`, also when the one that is named is not there.
  static func find(named: String?) throws -> ActiveContext? {
    let all = try ContextFile.read()
    let (name, from): (String?, String) =
      if let named {
        (named, "--context")
      } else if let said = environment("STOCK_CONTEXT") {
        (said, "STOCK_CONTEXT")
      } else {
        (all.current, "context use")
      }
    guard let name else { return nil }
    return ActiveContext(name: name, context: try all.named(name), from: from)
  }
}
