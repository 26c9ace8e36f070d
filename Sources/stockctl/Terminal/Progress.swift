import Dispatch
import Loop
import Synchronization

/// A bar on standard error for a person who has waited for a second: how far, how fast, how long still.
/// Where standard error is no terminal it shows nothing.
final class Progress: Sendable {
  /// What is counted.
  enum Measure: Sendable {
    /// So many things.
    case items(Int)
    /// Things, nobody knows how many.
    case things
    /// The time itself, which is known beforehand.
    case milliseconds(UInt64)
    /// An answer, which comes by then at the latest.
    case answer(withinMs: UInt64)
  }

  private static let patienceNs: UInt64 = 1_000_000_000
  private static let redrawMs = 100

  private struct State {
    var done = 0
    var note = ""
    var isOver = false
  }

  private let what: String
  private let measure: Measure
  private let start = monotonicNow()
  private let state = Mutex(State())

  /// The bar that stands on the terminal, so that whatever is printed can take its place.
  private static let isDrawn = Mutex(false)

  /// Begins to count; `finish` ends it.
  init(_ what: String, _ measure: Measure) {
    (self.what, self.measure) = (what, measure)
    if Terminal.errors.isTerminal { redraw(afterMs: Int(Self.patienceNs / 1_000_000)) }
  }

  /// So many more are done.
  func advance(by count: Int = 1) { state.withLock { $0.done += count } }

  /// Something to say beside the bar.
  func note(_ text: String) { state.withLock { $0.note = text } }

  /// Takes the bar away.
  func finish() {
    state.withLock { $0.isOver = true }
    Self.aside()
  }

  /// Takes away whatever bar is drawn, for something to be written in its place; it comes back.
  static func aside(_ write: () -> Void = {}) {
    isDrawn.withLock { isDrawn in
      if isDrawn { StandardError.raw("\r\u{1B}[K") }
      isDrawn = false
      write()
    }
  }

  private func redraw(afterMs ms: Int) {
    DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(ms)) { [weak self] in
      guard let self, self.draw() else { return }
      self.redraw(afterMs: Self.redrawMs)
    }
  }

  /// - Returns: whether it goes on.
  private func draw() -> Bool {
    Self.isDrawn.withLock { isDrawn in
      let state = state.withLock { $0 }
      guard !state.isOver else { return false }
      let line = line(state.done, state.note, at: monotonicNow() - start)
      StandardError.raw("\r\(line)\u{1B}[K")
      isDrawn = true
      return true
    }
  }

  private func line(_ done: Int, _ note: String, at elapsed: UInt64) -> String {
    let seconds = Double(elapsed) / 1_000_000_000
    var (share, facts) = (Double?.none, [String]())
    switch measure {
    case .items(let total):
      let part = total > 0 ? min(Double(done) / Double(total), 1) : 1
      let rate = Double(done) / seconds
      share = part
      facts = ["\(done.grouped)/\(total.grouped)", "\(Int(rate).grouped)/s"]
      if done > 0 { facts.append("ETA \(Self.clock(Double(total - done) / rate))") }
    case .things:
      facts = [done.grouped, "\(Int(Double(done) / seconds).grouped)/s"]
    case .milliseconds(let ms):
      share = min(seconds * 1_000 / Double(ms), 1)
      facts = ["ETA \(Self.clock(max(Double(ms) / 1_000 - seconds, 0)))"]
    case .answer(let ms):
      facts = ["\(Self.clock(seconds)) of at most \(Self.clock(Double(ms) / 1_000))"]
    }
    if !note.isEmpty { facts.append(note) }
    // The last column stays free, since some terminals begin a new line there, and two for the ^C
    // of whoever interrupts: on a new line it would leave the bar behind.
    let width = (Terminal.errors.width ?? 80) - 3
    let text = facts.joined(separator: "  ")
    guard let share else { return "\(what)  \(text)".cut(to: width) }
    let percent = "\(Int(share * 100)) %"
    let room = width - what.columns - text.columns - percent.count - 8
    guard room >= 8 else { return "\(what)  \(percent)  \(text)".cut(to: width) }
    let filled = Int(share * Double(min(room, 40)))
    let bar =
      String(repeating: "#", count: filled)
      + String(repeating: "-", count: min(room, 40) - filled)
    return "\(what)  [\(bar)]  \(percent)  \(text)"
  }

  /// `0:07`, `12:30`, `3:00:00`
  static func clock(_ seconds: Double) -> String {
    let whole = Int(min(seconds, 359_999).rounded())
    let (hours, minutes, rest) = (whole / 3_600, whole / 60 % 60, whole % 60)
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return hours > 0 ? "\(hours):\(two(minutes)):\(two(rest))" : "\(minutes):\(two(rest))"
  }
}

extension BinaryInteger {
  /// With a comma between thousands.
  var grouped: String {
    let digits = String(magnitude)
    var text = ""
    for (place, digit) in digits.enumerated() {
      if place > 0, (digits.count - place) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return self < 0 ? "-\(text)" : text
  }

  /// So many of something: "1 line", "2,000 lines".
  func counted(_ one: String) -> String { self == 1 ? "1 \(one)" : "\(grouped) \(one)s" }
}
