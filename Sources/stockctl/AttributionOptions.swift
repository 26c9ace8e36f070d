import ArgumentParser
import Glibc

/// Who changes something, and why, for the event and the books.
struct AttributionOptions: ParsableArguments {
  @Option(help: "Why, in your words: up to 128 bytes.") var reason = ""
  @Option(help: "Who you are. [the user of this process]") var actor: String?

  /// As said, or the user that this process runs as.
  var actorName: String { actor ?? Self.processUser }

  /// The name of the user that this process runs as.
  static var processUser: String {
    guard let user = getpwuid(geteuid()) else { return "uid \(geteuid())" }
    return String(cString: user.pointee.pw_name)
  }
}
