import ArgumentParser
import FoundationEssentials
import Inventory
import Wire

/// `stockctl reserve SKU`
struct ReserveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reserve", abstract: "Holds units of a SKU for a user until a deadline.",
    discussion: "The same user and key again: the same hold, and no further unit.")

  @OptionGroup var server: ServerOptions
  @Argument(help: "The SKU.") var sku: String
  @Option(help: "Units; all or none.") var qty: UInt64 = 1
  @Option(help: "Who holds.") var user: String
  @Option(help: "The idempotency key; a new one is made up when left out.") var key: String?
  @Option(help: "Life of the hold: 500ms, 90s, 15m, 2h, 7d. Left out: the server's default.")
  var ttl: Span?
  @Option(help: Acknowledgement.help, transform: Acknowledgement.named)
  var ack: Acknowledgement?

  func run() async throws {
    let key = key ?? UUID().uuidString
    let reply = try await server.call(
      ReserveRequest(
        sku: sku, qty: qty, userID: user, idempotencyKey: key, ttlMs: ttl?.milliseconds ?? 0,
        acknowledge: ack))
    var fields: Output.Fields = [("outcome", .text(reply.outcome?.name ?? "UNSPECIFIED"))]
    if !reply.holdID.isEmpty {
      fields += [
        ("hold_id", .text(reply.holdID)), ("status", .text(reply.status?.name ?? "UNSPECIFIED")),
      ]
    }
    fields += [("sku", .text(sku)), ("qty", .number(qty)), ("available", .number(reply.available))]
    if !reply.holdID.isEmpty { fields.append(("expires_at", .number(reply.expiresAt))) }
    if let level = reply.acknowledged { fields.append(("acknowledged", .text(level.name))) }
    fields += [("user_id", .text(user)), ("idempotency_key", .text(key))]
    Output(json: server.json).print(fields)
    try ExitReason(reply.outcome).finish()
  }
}

/// `stockctl confirm HOLD`
struct ConfirmCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "confirm", abstract: "Turns an active hold into an order.")

  @OptionGroup var server: ServerOptions
  @Argument(help: "The hold's id.") var hold: String
  @Option(help: "The payment that stands behind it.") var paymentRef: String
  @Option(help: Acknowledgement.help, transform: Acknowledgement.named)
  var ack: Acknowledgement?

  func run() async throws {
    try server.show(
      try await server.call(
        ConfirmRequest(holdID: hold, paymentRef: paymentRef, acknowledge: ack)), hold: hold)
  }
}

/// `stockctl cancel HOLD`
struct CancelCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "Gives an active hold's units back.")

  @OptionGroup var server: ServerOptions
  @Argument(help: "The hold's id.") var hold: String
  @Option(help: Acknowledgement.help, transform: Acknowledgement.named)
  var ack: Acknowledgement?

  func run() async throws {
    try server.show(
      try await server.call(CancelRequest(holdID: hold, acknowledge: ack)), hold: hold)
  }
}

/// `stockctl hold …`
struct HoldCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hold", abstract: "Shows, lists, extends and releases holds.",
    subcommands: [
      Get.self, HoldListCommand.self, HoldHistoryCommand.self, HoldExtendCommand.self,
      HoldReleaseCommand.self,
    ])

  struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Shows one hold, by its id, or by the user and key that made it.")

    @OptionGroup var server: ServerOptions
    @Argument(help: "The hold's id.") var hold: String?
    @Option(help: "With --key.") var user: String?
    @Option(help: "With --user.") var key: String?

    func validate() throws {
      guard (hold != nil) != (user != nil), (user != nil) == (key != nil) else {
        throw ValidationError("name a hold, or both --user and --key")
      }
    }

    func run() async throws {
      let request =
        if let hold {
          GetHoldRequest(holdID: hold)
        } else {
          GetHoldRequest(userID: user ?? "", idempotencyKey: key ?? "")
        }
      try server.show(try await server.call(request), hold: hold ?? "")
    }
  }
}

extension ServerOptions {
  /// Prints a hold as it is now, and ends with the exit code of the outcome.
  func show(_ reply: HoldReply, hold: String) throws {
    let fields: Output.Fields = reply.hold?.fields ?? [("hold_id", .text(hold))]
    let reached: Output.Fields =
      reply.acknowledged.map { [("acknowledged", .text($0.name))] } ?? []
    Output(json: json).print(
      [("outcome", .text(reply.outcome?.name ?? "UNSPECIFIED"))] + fields + reached)
    try ExitReason(reply.outcome).finish()
  }
}

extension Acknowledgement {
  static let help: ArgumentHelp = """
    What must have happened before the answer: memory, fsync, replica or ledger. Left out: what \
    the server is set to.
    """

  static func named(_ name: String) throws -> Acknowledgement {
    guard let level = Acknowledgement(name: name) else {
      throw ValidationError("'\(name)' is not memory, fsync, replica or ledger")
    }
    return level
  }
}

/// A length of time with its unit: `500ms`, `90s`, `15m`, `2h`, `7d`.
struct Span: ExpressibleByArgument {
  let milliseconds: UInt64

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    let units: [Substring: UInt64] = [
      "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000,
    ]
    guard let number = UInt64(digits), let unit = units[argument[digits.endIndex...]],
      case let (product, overflow) = number.multipliedReportingOverflow(by: unit), !overflow
    else { return nil }
    milliseconds = product
  }
}
