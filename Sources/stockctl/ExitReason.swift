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
  case usage = 64

  static let table =
    "Exit codes:\n" + allCases.map { "  \($0.rawValue)\t\($0.meaning)" }.joined(separator: "\n")

  var meaning: String {
    switch self {
    case .done: "done, or done before"
    case .failed: "the server failed; see its log"
    case .soldOut: "sold out: fewer units are available than asked for"
    case .expired: "the hold's deadline has passed"
    case .notFound: "no such hold or dead letter, or nobody has set stock for the SKU"
    case .conflict: "already confirmed or cancelled, or the key belongs to another request"
    case .unreachable: "the server or its store cannot be reached; nothing was done"
    case .outcomeUnknown: "no answer came: repeat the same command to learn the outcome"
    case .closed: "the SKU is closed: its figures do not add up (stockctl stock adopt)"
    case .exhausted: "the server or its store is full or busy; try again later"
    case .differs: "Redis and the books differ (stockctl audit)"
    case .usage: "the command line, or a field in it, is wrong"
    }
  }

  var exit: ExitCode { ExitCode(rawValue) }

  init(_ outcome: Outcome?) {
    switch outcome {
    case .soldOut: self = .soldOut
    case .expired: self = .expired
    case .noSuchHold, .unknownSKU: self = .notFound
    case .alreadyConfirmed, .alreadyCancelled: self = .conflict
    case nil: self = .failed
    default: self = .done
    }
  }

  init(_ status: Status) {
    if status.outcomeUnknown {
      self = .outcomeUnknown
      return
    }
    switch status.code {
    case .invalidArgument, .outOfRange: self = .usage
    case .alreadyExists: self = .conflict
    case .notFound: self = .notFound
    case .unavailable, .deadlineExceeded: self = .unreachable
    case .failedPrecondition: self = .closed
    case .resourceExhausted: self = .exhausted
    default: self = .failed
    }
  }
}
