import HotPath
import Inventory
import Ledger
import Wire

/// The events of some entries, each with the place that it came from.
struct DecodedBatch {
  /// What can be applied.
  private(set) var events: [Ledger.Entry] = []
  /// Where each of `events` came from.
  private var origins: [(entry: Int, index: Int)] = []
  private let entries: [StreamEntry]
  private var letters: [Int: [DeadLetter]] = [:]

  /// - Parameter nowMs: milliseconds since 1970, for the letters.
  init(_ entries: [StreamEntry], arena: Arena, nowMs: UInt64) {
    self.entries = entries
    for (place, entry) in entries.enumerated() {
      for (index, pair) in entry.events.enumerated() {
        arena.reset()
        let decoded = pair.bytes.withUnsafeBytes { bytes in
          Result { () throws(EventError) in try Event(type: pair.type, bytes, arena: arena) }
        }
        switch decoded {
        case .success(let event):
          events.append(
            Ledger.Entry(event: event, streamMs: entry.id.ms, streamSequence: entry.id.sequence))
          origins.append((place, index))
        case .failure(let error):
          bury(
            place, index, id: "\(entry.id)/\(index)", reason: error.description,
            Attempts.Record(count: 1, firstMs: nowMs, lastMs: nowMs))
        }
      }
    }
  }

  /// An entry that is not even decoded: each of its events is dead.
  init(unread entry: StreamEntry, reason: String, _ attempts: Attempts.Record) {
    entries = [entry]
    for index in entry.events.indices {
      bury(0, index, id: "\(entry.id)/\(index)", reason: reason, attempts)
    }
  }

  /// Takes an event of `events` for dead.
  mutating func bury(_ place: Int, reason: String, _ attempts: Attempts.Record) {
    let origin = origins[place]
    bury(origin.entry, origin.index, id: events[place].event.id, reason: reason, attempts)
  }

  /// Entries whose every event can be applied.
  var whole: [StreamID] {
    entries.indices.lazy.filter { letters[$0] == nil }.map { entries[$0].id }
  }

  /// Entries with dead events in them.
  var torn: [(entry: StreamID, letters: [DeadLetter])] {
    letters.sorted { $0.key < $1.key }.map { (entries[$0.key].id, $0.value) }
  }

  private mutating func bury(
    _ entry: Int, _ index: Int, id: String, reason: String, _ attempts: Attempts.Record
  ) {
    let pair = entries[entry].events[index]
    let before = entries[entry].replayed
    letters[entry, default: []].append(
      DeadLetter(
        id: id, index: index, type: pair.type, bytes: pair.bytes, reason: reason,
        attempts: (before?.attempts ?? 0) + attempts.count,
        firstMs: min(before?.firstMs ?? .max, attempts.firstMs), lastMs: attempts.lastMs))
  }
}
