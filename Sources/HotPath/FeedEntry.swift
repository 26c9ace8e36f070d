public import Inventory
public import Wire

/// An event as it goes to those who follow.
public struct FeedEvent: Sendable {
  /// Where the reader is when it has read it.
  public let position: FeedPosition
  /// The type, as it stands in the store.
  public let type: String
  /// What it is about; nil: it cannot be read.
  public let sku: SKU?
  /// The item of `Events/Follow`, encoded once for all.
  public let item: EncodedItem

  /// Whether a follower wants it.  What cannot be read is kept from nobody.
  public func matches(_ filter: Follow) -> Bool {
    guard let sku else { return true }
    return (filter.types.isEmpty || filter.types.contains(type))
      && (filter.skus.isEmpty || filter.skus.contains(sku))
  }
}

/// An entry of the event stream, decoded once for all who follow.
struct FeedEntry {
  let id: StreamID
  let ordinal: UInt64
  let events: [FeedEvent]

  /// Where a reader is when it has read it.
  var end: FeedPosition { FeedPosition(entry: id, ordinal: ordinal) }
  /// Bytes that it keeps in memory, about.
  var byteCount: Int { events.reduce(128) { $0 + $1.item.byteCount + 96 } }
}

/// Decodes entries as Redis hands them out.
struct FeedDecoder {
  private let arena = Arena()

  /// nil: not a list of entries.
  /// - Parameter ordinal: of the first of them.
  func entries(_ list: RedisReply, from ordinal: UInt64) -> [FeedEntry]? {
    var entries: [FeedEntry] = []
    entries.reserveCapacity(list.count)
    var buffer = ByteBuffer()
    for (place, item) in list.elements.enumerated() {
      guard item.count == 2, let id = item[0].text.flatMap({ StreamID($0) }) else { return nil }
      entries.append(entry(id, ordinal + UInt64(place), item[1], &buffer))
    }
    return entries
  }

  private func entry(
    _ id: StreamID, _ ordinal: UInt64, _ fields: RedisReply, _ buffer: inout ByteBuffer
  ) -> FeedEntry {
    var first = 0
    if fields.count >= 2, fields[0].text == "source" { first = 2 }
    let count = max(fields.count - first, 0) / 2
    let events = (0..<count).map { place in
      let position = FeedPosition(
        entry: id, events: place + 1 == count ? 0 : place + 1, ordinal: ordinal)
      let type = fields[first + 2 * place].text ?? ""
      let bytes = fields[first + 2 * place + 1].bytes
      let item = FollowItem(token: "\(position)", type: type, bytes, arena: arena)
      defer { arena.reset() }
      return FeedEvent(
        position: position, type: type, sku: item.event?.sku,
        item: EncodedItem(item, bytes, through: &buffer, arena: arena))
    }
    return FeedEntry(id: id, ordinal: ordinal, events: events)
  }
}

extension Event {
  fileprivate var sku: SKU {
    switch self {
    case .hold(_, let hold): hold.sku
    case .stock(_, let change): change.sku
    }
  }
}

/// The newest entries, for those who are nearly there.
struct RecentEntries {
  /// Everything after this entry, up to the newest, is here.
  private(set) var start: StreamID
  private var entries: [FeedEntry] = []
  private var first = 0
  private var bytes = 0
  private let bytesMax: Int

  init(after start: StreamID, bytesMax: Int) { (self.start, self.bytesMax) = (start, bytesMax) }

  mutating func append(_ entry: FeedEntry) {
    entries.append(entry)
    bytes += entry.byteCount
    while bytes > bytesMax, entries.count - first > 1 {
      bytes -= entries[first].byteCount
      start = entries[first].id
      first += 1
    }
    if first > 64, first > entries.count / 2 {
      entries.removeFirst(first)
      first = 0
    }
  }

  /// Whether everything that follows a position is here.
  func covers(_ position: FeedPosition) -> Bool { position.isBeyond(start) }

  /// The entry that a reader goes on with; nil: there is none yet.
  func entry(after position: FeedPosition) -> FeedEntry? {
    var (low, high) = (first, entries.count)
    while low < high {
      let middle = (low + high) / 2
      if position.isBeyond(entries[middle].id) { low = middle + 1 } else { high = middle }
    }
    return low < entries.count ? entries[low] : nil
  }
}
