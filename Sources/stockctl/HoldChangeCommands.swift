import ArgumentParser
import Inventory
import Wire

/// `stockctl hold extend HOLD`
struct HoldExtendCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extend", abstract: "Gives an active hold a later deadline, never an earlier one.",
    discussion: """
      At most 10 times, and up to 7 days after the hold was made.  --until can be repeated safely;  \
      --by counts from the deadline that the hold has when the command looks.
      """)

  @OptionGroup var server: ServerOptions
  @Argument(help: "The hold's id.") var hold: String
  @Option(help: "How much longer than it lasts now: 90s, 15m, 2h.") var by: Span?
  @Option(help: "The deadline, in milliseconds since 1970 by Redis's clock, as in expires_at.")
  var until: Int64?
  @Option(help: Acknowledgement.help, transform: Acknowledgement.named)
  var ack: Acknowledgement?

  func validate() throws {
    guard (by == nil) != (until == nil) else { throw ValidationError("say --by or --until") }
  }

  func run() async throws {
    var deadline = until ?? 0
    if let by {
      let found = try await server.call(GetHoldRequest(holdID: hold))
      guard let expiresAt = found.hold?.expiresAt else { return try server.show(found, hold: hold) }
      deadline = expiresAt &+ Int64(clamping: by.milliseconds)
    }
    try server.show(
      try await server.call(ExtendRequest(holdID: hold, expiresAt: deadline, acknowledge: ack)),
      hold: hold)
  }
}

/// `stockctl hold release HOLD`
struct HoldReleaseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release",
    abstract: "Cancels somebody's hold: its units are available again, and its user loses them.",
    discussion: "Who and why go into the event and the books.")

  @OptionGroup var server: ServerOptions
  @Argument(help: "The hold's id.") var hold: String
  @Option(help: "Why, in your words: up to 128 bytes.") var reason: String
  @Option(help: "Who you are. [the user of this process]") var actor: String?
  @Flag(help: "Do not ask.") var yes = false
  @Option(help: Acknowledgement.help, transform: Acknowledgement.named)
  var ack: Acknowledgement?

  func run() async throws {
    try Confirmation.ask("\(hold) would be cancelled, and its user lose the units", yes: yes)
    let request = ReleaseRequest(
      holdID: hold, reason: reason, actor: actor ?? AttributionOptions.processUser,
      acknowledge: ack)
    try server.show(try await server.call(request), hold: hold)
  }
}
