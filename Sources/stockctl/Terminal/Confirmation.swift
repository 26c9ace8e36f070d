import ArgumentParser

/// The question before what cannot be undone.
enum Confirmation {
  /// Asks a person; a script says `--yes`.
  /// - Parameter what: what would be done, as the beginning of a sentence.
  /// - Throws: `ValidationError` where nobody can be asked, `ExitReason.declined` after a no.
  static func ask(_ what: String, yes: Bool) throws {
    guard !yes else { return }
    guard Terminal.input.isTerminal, Terminal.errors.isTerminal else {
      throw ValidationError("\(what): say --yes")
    }
    Progress.aside { StandardError.raw("\(what.onOneLine).  Go on? [y/N] ") }
    let answer = readLine()?.lowercased() ?? ""
    guard ["y", "yes"].contains(answer) else {
      StandardError.line("stockctl: nothing was done")
      throw ExitReason.declined.exit
    }
  }
}
