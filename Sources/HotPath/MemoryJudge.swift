import Inventory

/// What follows from how full a Redis is: whether holds may begin, how long what has ended is remembered,
/// and what has to be said of it.
///
/// When memory gets short, it goes in this order: the worker trims the stream of what everybody has read
/// (from half of the limit on), what gave its units back is remembered for less time, then what was
/// confirmed; and only when both are at their floor no more holds begin.
///
/// A value without a clock.
struct MemoryJudge {
  /// What is read beside INFO, twice a second.
  struct Stream {
    /// MEMORY USAGE of it.
    var bytes: Int64
    var entries: Int64
    /// That of the books; nil: there is none.
    var group: StreamGroup?
  }

  /// Bytes of a hold that has ended and is in the books, with its places in the indexes, about.
  static let endedHoldBytes: Int64 = 190
  /// Of memory: what was short is not any more when so much less is in use.
  private static let againBelow = 0.02
  /// What was foreseen is not any more after so many samples that did not foresee it.
  private static let quietMax = 6

  private let settings: Store.Settings
  private(set) var placing = Store.Placing.yes
  /// For how long what has ended is remembered now.
  private(set) var retention: Retention
  /// Whether `retention` is shorter than it was set to be.
  private(set) var isShort = false
  /// Minutes until no more holds can begin, at this rate; nil: not within the hour, as far as can be seen.
  private(set) var minutesLeft: Double?
  private(set) var backlog: Backlog?
  private var stream: Stream?
  private var forecast = MemoryForecast()
  private var limitBytes: Int64 = 0
  private var roomBytes: Int64 = 0
  /// What was in use, but for what everybody has read, since the last sample.
  private var readings: [Int64] = []
  /// Samples in a row that foresaw nothing.
  private var quiet = 0

  init(_ settings: Store.Settings) {
    self.settings = settings
    retention = settings.retention
  }

  /// Takes in what Redis says of the stream.
  mutating func heard(_ stream: Stream) {
    self.stream = stream
    backlog = Backlog(
      streamBytes: stream.bytes, entries: stream.entries, group: stream.group)
  }

  /// Bytes of events that may wait for the books.
  func backlogLimit(of memory: RedisMemory) -> Int64 {
    settings.backlogBytesMax > 0 ? settings.backlogBytesMax : memory.limitBytes / 2
  }

  /// Judges anew.
  mutating func judge(_ memory: RedisMemory) {
    if memory.limitBytes != limitBytes { forgetTrend() }
    limitBytes = memory.limitBytes
    roomBytes = memory.roomBytes(headroomBytes: Store.headroomBytes)
    let done = stream.map { $0.bytes - (backlog?.bytes ?? 0) } ?? 0
    readings.append(memory.usedBytes - max(done, 0))
    placing =
      if !memory.hasRoom(headroomBytes: Store.headroomBytes) {
        .storeIsFull
      } else if backlog?.isTooLarge(
        limitBytes: backlogLimit(of: memory), refusing: placing == .booksAreBehind) == true
      {
        .booksAreBehind
      } else {
        .yes
      }
    guard roomBytes > 0 else {
      (retention, isShort) = (settings.retention, false)
      return
    }
    let use = Double(memory.usedBytes) / Double(roomBytes)
    retention = settings.retention.shortened(at: use, floorMs: settings.retentionFloorMs)
    let begin = Limits.releasedShorteningUse.lowerBound
    isShort = use > (isShort ? begin - Self.againBelow : begin)
  }

  /// Whether it is time for `note`.
  /// - Parameter now: nanoseconds of CLOCK_MONOTONIC.
  func wantsForgettable(at now: UInt64) -> Bool { forecast.wantsSample(at: now) }

  /// Takes in how many holds could be forgotten without going below the floor.
  /// - Parameter now: nanoseconds of CLOCK_MONOTONIC.
  mutating func note(forgettable holds: Int64, at now: UInt64) {
    guard !readings.isEmpty else { return }
    // The middle one: while the stream is trimmed, its size and the memory in use are of two moments.
    let middle = readings.sorted()[readings.count / 2]
    readings.removeAll(keepingCapacity: true)
    forecast.note(bytes: middle - holds * Self.endedHoldBytes, at: now)
    let foreseen = roomBytes > 0 ? forecast.minutes(until: roomBytes) : nil
    quiet = foreseen == nil ? quiet + 1 : 0
    if foreseen != nil || quiet >= Self.quietMax { minutesLeft = foreseen }
  }

  /// Another Redis may be at the other end, or it may take more than before.
  mutating func forgetTrend() {
    forecast.forget()
    (readings, minutesLeft, quiet) = ([], nil, 0)
  }

  /// What is weaker than promised, or soon will be; empty when all is well.
  var warnings: [String] {
    var said: [String] = []
    if let refusal = placing.refusal { said.append(refusal) }
    if isShort {
      said.append(
        "redis is short of memory: what has ended is remembered for less time (confirmed holds "
          + "\(Self.text(retention.confirmedMs)) of \(Self.text(settings.retention.confirmedMs)), "
          + "others \(Self.text(retention.releasedMs)) of "
          + "\(Self.text(settings.retention.releasedMs)))")
    }
    if placing == .yes, let minutesLeft {
      let minutes = Int(minutesLeft.rounded(.up))
      said.append(
        "redis's memory is full in about \(minutes) minute\(minutes == 1 ? "" : "s") at this rate: "
          + "no new holds then")
    }
    return said
  }

  /// `3 h 12 min`, `5 min`, `20 s`
  static func text(_ ms: UInt64) -> String {
    let seconds = ms / 1_000
    if seconds < 120 { return "\(seconds) s" }
    let (hours, minutes) = (seconds / 3_600, seconds % 3_600 / 60)
    return hours == 0 ? "\(minutes) min" : minutes == 0 ? "\(hours) h" : "\(hours) h \(minutes) min"
  }
}
