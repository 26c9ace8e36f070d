import Foundation
import Wire

/// What the first server and its client said to each other: `Tests/wire/frozen/README.md`.
struct FrozenConversation: Sendable {
  /// A call, and what came back.
  struct Exchange: Sendable {
    let step: String
    /// Frames, whole.
    let request: [UInt8]
    let reply: [UInt8]
    let method: String
    let message: [UInt8]
    let callID: UInt64
    let timeoutMs: UInt32
  }

  let exchanges: [Exchange]

  init() throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "wire/frozen/first/conversation.txt")
    var step = ""
    var open: [UInt64: Exchange] = [:]
    var found: [Exchange] = []
    for line in try String(contentsOf: path, encoding: .utf8).split(separator: "\n") {
      let rest = line.drop { $0 != " " }.dropFirst()
      switch line.first {
      case "s" where line.hasPrefix("step"): (step, open) = (String(rest), [:])
      case ">":
        let exchange = try Exchange(step: step, request: Self.bytes(rest))
        open[exchange.callID] = exchange
      case "<":
        let reply = Self.bytes(rest)
        let id = try reply.withUnsafeBytes {
          try ResponseEnvelope(.init(rebasing: $0[Frame.headerBytes...]), arena: Arena()).callID
        }
        if let asked = open[id] { found.append(asked.answered(by: reply)) }
      default: break
      }
    }
    exchanges = found
  }

  /// The exchange of a step that has one call.
  subscript(step: String) -> Exchange? { exchanges.first { $0.step == step } }

  private static func bytes(_ hex: Substring) -> [UInt8] {
    let digits = hex.compactMap { $0.hexDigitValue.map { UInt8($0) } }
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }
}

extension FrozenConversation.Exchange {
  fileprivate init(step: String, request: [UInt8]) throws {
    (self.step, self.request, reply) = (step, request, [])
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    (method, message, callID, timeoutMs) = try request.withUnsafeBytes {
      let envelope = try RequestEnvelope(
        .init(rebasing: $0[Frame.headerBytes...]), arena: arena)
      return (
        String(decoding: envelope.method, as: UTF8.self), Array(envelope.message),
        envelope.callID, envelope.timeoutMs
      )
    }
  }

  fileprivate init(_ asked: Self, reply: [UInt8]) {
    (step, request, self.reply) = (asked.step, asked.request, reply)
    (method, message) = (asked.method, asked.message)
    (callID, timeoutMs) = (asked.callID, asked.timeoutMs)
  }

  fileprivate func answered(by reply: [UInt8]) -> Self { Self(self, reply: reply) }
}
