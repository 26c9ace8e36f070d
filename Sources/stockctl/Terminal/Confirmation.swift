import ArgumentParser
import Synchronization

/// The question before what cannot be undone.
enum Confirmation {
  private static let isOpen = Mutex(false)

  /// Whoever breaks a question off begins a new line.
  static func leave() {
    if isOpen.withLock({ $0 }) { StandardError.raw("\n") }
  }

  /// Asks a person; a script says `--yes`.
  /// - Parameter what: what would be done, as the beginning of a sentence.
  /// - Throws: `ValidationError` where nobody can be asked, `ExitReason.declined` after a no.
  static func ask(_ what: String, yes: Bool) throws {
    guard !yes else { return }
    guard Terminal.input.isTerminal, Terminal.errors.isTerminal else {
      throw ValidationError("\(what): say --yes")
    }
    isOpen.withLock { $0 = true }
    defer { isOpen.withLock { $0 = false } }
    Progress.aside { StandardError.raw("\(what.onOneLine).  Go on? [y/N] ") }
    let answer = readLine()?.lowercased() ?? ""
    guard ["y", "yes"].contains(answer) else {
      StandardError.line("stockctl: nothing was done")
      throw ExitReason.declined.exit
    }
  }
}
