import HotPath

/// Finds the event that ends every worker which applies it: a crash leaves nobody to count it.
///
/// How it works.  Whoever takes entries that were handed out before, and not acknowledged, writes down
/// that it tries them, and takes the mark away when it is done or when a store has failed.  A mark that
/// is found is a worker that ended in between.  What is read for the first time is not marked: that
/// would cost every batch two more calls.  So the first end leaves no mark; the second marks all that was
/// taken together; and from then on each of these entries is read alone and applied event by event, until
/// the marks of one event, or of the reading, are `endsMax`.
struct Trials {
  private let stream: EventStream

  init(of stream: EventStream) { self.stream = stream }

  /// The mark of an entry that is taken together with others.
  static func mark(of entry: StreamEntry) -> String { "\(entry.id)" }
  /// The mark of an entry whose events are decoded.
  static func markOfReading(_ entry: StreamEntry) -> String { "\(entry.id)/" }
  /// The mark of one event, by its place among those that can be decoded.
  static func mark(of entry: StreamEntry, _ place: Int) -> String { "\(entry.id)/\(place)" }

  /// Every mark that an entry may have.
  static func marks(of entry: StreamEntry) -> [String] {
    [mark(of: entry), markOfReading(entry)] + entry.events.indices.map { mark(of: entry, $0) }
  }

  /// How often a worker has ended under each of these marks.
  func ends(under marks: [String]) throws -> [Int] { try stream.trials(of: marks) }

  /// Does something under marks.
  /// - Parameter ends: how often a worker has ended under each before.
  func run(_ marks: [String], _ ends: [Int], _ body: () throws -> Void) throws {
    let before = zip(marks, ends).map { (name: $0, count: $1) }
    try stream.setTrials(before.map { ($0.name, $0.count + 1) })
    do {
      try body()
    } catch {
      // No event's fault.  Where Redis is what has failed, the mark counts too much by one.
      try? stream.setTrials(before)
      throw error
    }
    try stream.setTrials(before)
  }

  /// Takes the marks of an entry away for good.
  func forget(_ entry: StreamEntry) throws {
    try stream.setTrials(Self.marks(of: entry).map { ($0, 0) })
  }
}
