import ArgumentParser
import FoundationEssentials
import Inventory
import Wire

/// `stockctl dead …`
struct DeadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dead", abstract: "Events that could not be written into the books.",
    discussion: "Asks a worker.",
    subcommands: [List.self, Show.self, Replay.self, Discard.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists them, oldest first, a page at a time.")

    @OptionGroup var worker: WorkerOptions
    @OptionGroup var filter: LetterFilter
    @Option(help: "Begin after this place, the 'next' of the page before.") var after = ""
    @Option(help: "Letters of a page, 1 to 200.") var limit = ListDeadLettersRequest.limitDefault

    func validate() throws {
      guard (1...ListDeadLettersRequest.limitMax).contains(limit) else {
        throw ValidationError("--limit: 1 to \(ListDeadLettersRequest.limitMax)")
      }
    }

    func run() async throws {
      let reply = try await worker.call(
        ListDeadLettersRequest(after: after, limit: limit, filter: filter.filter))
      let output = Output(json: worker.json)
      output.table(reply.letters.map(\.fields))
      var end: Output.Fields = [("total", .number(Int64(reply.total)))]
      if !reply.next.isEmpty { end.append(("next", .text(reply.next))) }
      output.printLine(end)
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Shows one with its event, field by field, or as bytes when it cannot be read.")

    @OptionGroup var worker: WorkerOptions
    @Argument(help: "The event's id.") var event: String

    func run() async throws {
      let reply = try await worker.call(ShowDeadLetterRequest(eventID: event))
      var fields = reply.letter.fields
      let readable = reply.event.withUnsafeBytes {
        ReadableEvent(type: reply.letter.eventType, $0, arena: Arena())
      }
      for (name, value) in readable?.fields ?? [] {
        switch value {
        case .text(let text): fields.append(("event.\(name)", .text(text)))
        case .number(let number): fields.append(("event.\(name)", .number(number)))
        }
      }
      fields.append(("event_bytes", .number(Int64(reply.eventBytes))))
      if worker.json || readable == nil {
        fields.append(("event_hex", .text(Self.hex(reply.event))))
      }
      Output(json: worker.json).print(fields)
    }

    private static func hex(_ bytes: [UInt8]) -> String {
      bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
  }

  struct Replay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Writes events into the stream again, once their cause is gone.",
      discussion: """
        Names events, or --all, or --reason and --type for all that match.  The books apply an event \
        once, however often it is replayed; one that fails again comes back.  Exit code 5: an event \
        has no letter.
        """)

    @OptionGroup var worker: WorkerOptions
    @OptionGroup var filter: LetterFilter
    @Argument(help: "The events' ids, up to 256.") var events: [String] = []
    @Flag(help: "Every letter.") var all = false

    func validate() throws {
      let ways = [!events.isEmpty, all, filter.isSet].count { $0 }
      guard ways == 1 else {
        throw ValidationError("name events, or --all, or --reason and --type")
      }
      try worker.checkCount(events)
    }

    func run() async throws {
      var (replayed, unknown) = (0, [String]())
      if events.isEmpty {
        var (after, until) = ("", "")
        let total = try await worker.call(ListDeadLettersRequest(limit: 1)).total
        let progress = Progress("replaying", .items(total))
        defer { progress.finish() }
        repeat {
          let reply = try await worker.call(
            ReplayDeadLettersRequest(matching: filter.filter, after: after, until: until))
          replayed += reply.replayed
          progress.advance(by: reply.replayed)
          (after, until) = (reply.next, reply.until)
        } while !after.isEmpty
      } else {
        let reply = try await worker.call(ReplayDeadLettersRequest(eventIDs: events))
        (replayed, unknown) = (reply.replayed, reply.unknown)
      }
      try worker.finish("replayed", replayed, unknown)
    }
  }

  struct Discard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Takes letters away for good: their events will never be applied.",
      discussion: """
        The books remember each in the table discarded_letters, with who and why.  Exit code 5: an \
        event has no letter.
        """)

    @OptionGroup var worker: WorkerOptions
    @Argument(help: "The events' ids, up to 256.") var events: [String]
    @Option(help: "Why, in your words.") var reason: String
    @Option(help: "Who you are. [USER]") var actor: String?
    @Flag(help: "Do it without asking: there is no way back.") var yes = false

    func validate() throws {
      try worker.checkCount(events)
    }

    func run() async throws {
      guard let actor = actor ?? environment("USER") else {
        throw ValidationError("USER is not set: say --actor")
      }
      let count = events.count == 1 ? "One event" : "\(events.count) events"
      try Confirmation.ask(
        "\(count) would never be applied, and there is no way back", yes: yes)
      let reply = try await worker.call(
        DiscardDeadLettersRequest(eventIDs: events, reason: reason, actor: actor))
      try worker.finish("discarded", reply.discarded, reply.unknown)
    }
  }
}

/// Which letters.
struct LetterFilter: ParsableArguments {
  @Option(name: .customLong("reason"), help: "Only letters whose reason contains this text.")
  var reason = ""
  @Option(help: "Only events whose type contains this text.") var type = ""

  var isSet: Bool { !reason.isEmpty || !type.isEmpty }
  var filter: DeadLetterFilter { DeadLetterFilter(reason: reason, eventType: type) }
}

extension WorkerOptions {
  fileprivate func checkCount(_ events: [String]) throws {
    guard events.count <= ReplayDeadLettersRequest.eventIDsMax else {
      throw ValidationError("at most \(ReplayDeadLettersRequest.eventIDsMax) events at once")
    }
  }

  /// Says how many, and which had no letter.
  fileprivate func finish(_ what: String, _ count: Int, _ unknown: [String]) throws {
    var fields: Output.Fields = [(what, .number(Int64(count)))]
    if !unknown.isEmpty { fields.append(("unknown", .list(unknown))) }
    Output(json: json).print(fields)
    if !unknown.isEmpty { throw ExitReason.notFound.exit }
  }
}

extension DeadLetterInfo {
  fileprivate var fields: Output.Fields {
    [
      ("event_id", .text(eventID)), ("event_type", .text(eventType)),
      ("attempts", .number(Int64(attempts))), ("first_at", .number(firstAt)),
      ("last_at", .number(lastAt)), ("entry", .text(entry)), ("index", .number(Int64(index))),
      ("place", .text(place)), ("reason", .text(reason)),
    ]
  }
}
