/// Whether another worker goes by the same name, and would take this one's entries for its own.
///
/// Each worker writes a word that nobody else has beside its name, again and again.  Who finds another word
/// where it has written its own before is not alone: a worker that has ended writes nothing any more.
struct Namesake {
  /// Written by this process alone.
  let word: String

  private var hasWritten = false
  private var lastMet: UInt64?

  /// - Parameter word: drawn by lot, unless a test says it.
  init(word: String = String(UInt64.random(in: .min ... .max), radix: 36)) { self.word = word }

  /// - Parameters:
  ///   - found: what stood there before this worker wrote its own; nil: nothing.
  ///   - nowMs: by Redis's clock, in milliseconds since 1970.
  /// - Returns: whether there is one; for `ProjectionLimits.namesakeMs` after it was met last.
  mutating func look(at found: String?, nowMs: UInt64) -> Bool {
    if hasWritten, let found, found != word { lastMet = nowMs }
    hasWritten = true
    return lastMet.map { nowMs < $0 + ProjectionLimits.namesakeMs } ?? false
  }
}
