import ArgumentParser
import RPC

/// A shop that a person works with: where its server and its worker are, and how long to wait for them.
struct Context: Codable, Equatable {
  static let nameBytesMax = 64

  var address: String?
  var workerAddress: String?
  var timeoutMs: UInt32?
  var workerTimeoutMs: UInt32?

  /// Whether a text may be a context's name.
  static func isName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= nameBytesMax
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
          UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }

  /// What is wrong with it, as the end of a sentence; nil: nothing.
  var fault: String? {
    for (name, text) in [("address", address), ("worker_address", workerAddress)] {
      if let text, Address(text) == nil {
        return "\(name) '\(text)' is not host:port and not unix:/path"
      }
    }
    for (name, ms) in [("timeout_ms", timeoutMs), ("worker_timeout_ms", workerTimeoutMs)]
    where ms == 0 {
      return "\(name) is at least 1"
    }
    return address == nil && workerAddress == nil ? "it names no address" : nil
  }
}

/// All that a person has, and which is used when none is named.
struct Contexts: Codable, Equatable {
  var current: String?
  var contexts: [String: Context] = [:]

  /// - Throws: `ValidationError` when there is none of that name.
  func named(_ name: String) throws -> Context {
    guard let context = contexts[name] else {
      let known = contexts.keys.sorted().joined(separator: ", ")
      throw ValidationError(
        "there is no context '\(name)'; " + (known.isEmpty ? "there are none" : "known: \(known)"))
    }
    return context
  }
}

/// `--context`
struct ContextOption: ParsableArguments {
  @Option(
    name: .customLong("context"),
    help: "The context to work in. [STOCK_CONTEXT, or the one of 'context use']",
    completion: .contexts)
  var name: String?
}

extension CompletionKind {
  /// The names of the contexts that there are.
  static var contexts: CompletionKind {
    .custom { _, _, _ in
      ((try? ContextFile.read()) ?? Contexts()).contexts.keys.sorted()
    }
  }
}
