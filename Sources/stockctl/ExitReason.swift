import ArgumentParser
import Inventory
import Wire

/// Why a command ends, as its exit code.  Scripts depend on the numbers: they never change.
enum ExitReason: Int32, CaseIterable {
  case done = 0
  case failed = 1
  case soldOut = 3
  case expired = 4
  case notFound = 5
  case conflict = 6
  case unreachable = 7
  case outcomeUnknown = 8
  case closed = 9
  case exhausted = 10
  case differs = 11
  case partly = 12
  case declined = 13
  case otherVersion = 14
  case outputLost = 15
  case usage = 64
  case interrupted = 130

  static let table =
    "Exit codes (stockctl errors says what to do):\n"
    + allCases.map { "  \($0.rawValue)\t\($0.meaning)" }.joined(separator: "\n")

  var meaning: String {
    switch self {
    case .done: "done, or done before"
    case .failed: "the server failed"
    case .soldOut: "sold out: fewer units are available than asked for; or not for sale"
    case .expired: "the hold's deadline has passed"
    case .notFound: "no such hold or dead letter, or nobody has set stock for the SKU"
    case .conflict: "it is otherwise by now, or the key or request id is another request's"
    case .unreachable: "the server or its store cannot be reached; nothing was done"
    case .outcomeUnknown: "no answer came: it may have been done or not"
    case .closed: "a person has to put something right first: the message says what"
    case .exhausted: "the server or its store is full or busy"
    case .differs: "Redis and the books differ"
    case .partly: "some of it was done: the report says what was not"
    case .declined: "the question was answered with no; nothing was done"
    case .otherVersion: "the server is of another version: it does not know this, or answers news"
    case .outputLost: "done, but the output could not be written"
    case .usage: "the command line, or a field in it, is wrong"
    case .interrupted: "interrupted; it said how far it had come"
    }
  }

  /// What the caller should do.
  var advice: String {
    switch self {
    case .done: "go on"
    case .failed: "look into the server's log"
    case .soldOut: "ask for fewer, or later: units come back when holds end"
    case .expired: "reserve anew"
    case .notFound: "look at the name; stockctl stock set puts a SKU on sale"
    case .conflict: "look at it as it is: stockctl hold get; a new key for a new request"
    case .unreachable: "repeat later; stockctl health says whether it sells"
    case .outcomeUnknown: "repeat the same command, with the same key: it finds out"
    case .closed: "often stockctl stock adopt SKU, once its figure is right"
    case .exhausted: "repeat later, or after the time that the message names"
    case .differs: "stockctl audit --sku SKU shows what, and --repair what would be written"
    case .partly: "do what the report says, and run the same command again"
    case .declined: "nothing"
    case .otherVersion: "take the server's stockctl: the message or stockctl health names it"
    case .outputLost: "make room, and look at what was done; do not repeat blindly"
    case .usage: "correct the command line; --help shows it"
    case .interrupted: "run the same command again to go on"
    }
  }

  var exit: ExitCode { ExitCode(rawValue) }

  /// Ends the command with this code; returns when it is 0.
  func finish() throws {
    if self == .otherVersion {
      StandardError.line(
        "stockctl: the server answers with an outcome that this version does not know")
    }
    if self != .done { throw exit }
  }

  init(_ outcome: Outcome?) {
    switch outcome {
    case .soldOut, .tooFewAvailable, .notForSale: self = .soldOut
    case .expired: self = .expired
    case .noSuchHold, .unknownSKU: self = .notFound
    case .alreadyConfirmed, .alreadyCancelled, .availableDiffers, .extendedTooOften:
      self = .conflict
    case nil: self = .otherVersion
    default: self = .done
    }
  }

  init(_ status: Status) {
    if status.outcomeUnknown {
      self = .outcomeUnknown
    } else {
      self.init(code: status.code, reason: status.reason)
    }
  }

  /// Of a failure whose outcome is known, except where it never is.
  init(code: Code, reason: String) {
    switch (code, reason) {
    case (_, "CONNECTION_LOST"), (_, "NO_ANSWER"), (_, "MALFORMED_REPLY"): self = .outcomeUnknown
    case (_, "PROTOCOL_UNSUPPORTED"), (.unimplemented, _): self = .otherVersion
    case (.invalidArgument, _), (.outOfRange, _): self = .usage
    case (.alreadyExists, _), (.aborted, _): self = .conflict
    case (.notFound, _): self = .notFound
    case (.unavailable, _), (.deadlineExceeded, _): self = .unreachable
    case (.failedPrecondition, _): self = .closed
    case (.resourceExhausted, _): self = .exhausted
    default: self = .failed
    }
  }
}
