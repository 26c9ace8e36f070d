public import HotPath
public import Ledger

/// What a rebuild would find and do.
public struct RebuildPlan: CustomStringConvertible {
  /// SKUs that are listed.
  static let namesMax = 5

  /// What Redis says of itself.
  public internal(set) var fence = Fence()
  /// What the books say of themselves; nil: no Redis was ever opened with them.
  public internal(set) var books: BookedEpoch?
  /// The newest stream entry that the books know.
  public internal(set) var newest: StreamID?
  /// The newest id that this Redis has given.
  public internal(set) var last = StreamID(ms: 0, sequence: 0)
  /// Entries of the stream that the books do not know yet; nil: Redis cannot tell how many.
  public internal(set) var unapplied: Int?
  /// Events that could not be applied, and lie in Redis alone.
  public internal(set) var deadLetters = 0
  /// The process of Redis that is compared; nil: it has not been asked.
  public internal(set) var redis: RedisIdentity?
  /// The one that the books have opened to the sale; nil: none ever was.
  public internal(set) var opening: BookedOpening?
  /// SKUs of which the books say two things.
  public internal(set) var contradictions: [BooksSnapshot.Contradiction] = []
  /// Of these SKUs, who was promised the same units by another Redis and by this one; a line each.
  public internal(set) var soldTwice: [String] = []
  /// What would still contradict itself without the other Redis's holds.
  public internal(set) var contradictionsLeft: [BooksSnapshot.Contradiction] = []
  /// SKUs, as they compare.
  public internal(set) var skus = RebuildSession.Tally()
  /// Live and recent holds, as they compare.
  public internal(set) var holds = RebuildSession.Tally()
  /// How many of the books' holds are active.
  public internal(set) var active = 0
  /// Holds that the books do not know.
  public internal(set) var onlyInRedis = 0

  /// Several lines for a person.
  public var description: String {
    var lines = [
      "redis    epoch \(fence.epoch?.description ?? "none"), newest entry \(last), "
        + (fence.lost.map { "closed: \($0)" } ?? (isOpen ? "open" : "not open")),
      "books    epoch \(books.map { "\($0.deployment).\($0.number)" } ?? "none"), newest entry "
        + (newest?.description ?? "none")
        + (books?.isRebuilding == true ? ", a rebuild has begun and not ended" : ""),
      "selling  " + whoSells,
      "",
      "           in the books       same  different    missing  only in redis",
      line("SKUs", skus, nil), line("holds", holds, onlyInRedis), "active holds: \(active)",
      "",
    ]
    if books == nil {
      lines.append(
        "The books have no name: nothing is rebuilt from them.  Is DATABASE_URL right, and are they "
          + "restored?")
    } else if let redis = fence.epoch, redis.deployment != books?.deployment {
      lines.append("This Redis is another deployment's: it is not rebuilt from these books.")
    }
    if unapplied != 0 {
      lines.append(
        "\(unapplied.map { "\($0)" } ?? "Some") entries of the stream are not in the books yet: "
          + "workers apply them first.")
    }
    if deadLetters > 0 {
      lines.append(
        "\(deadLetters) dead letters are not in the books: replay or discard them first.")
    }
    if !contradictions.isEmpty {
      lines.append("The books contradict themselves, and nothing is rebuilt from them:")
      lines += contradictions.prefix(Self.namesMax).map { "  \($0)" }
      if contradictions.count > Self.namesMax {
        lines.append("  and \(contradictions.count - Self.namesMax) more SKUs")
      }
      lines += split
    }
    lines.append(
      "Lost, and known to nobody here: what Redis acknowledged after "
        + "\(newest?.description ?? "the beginning") and no worker has read, and the dead letters of "
        + "a Redis that is gone.")
    return lines.joined(separator: "\n")
  }

  private var isOpen: Bool { fence.opening?.runID == redis?.runID && fence.leaseLeftMs != 0 }

  /// What a person can choose.
  private var split: [String] {
    guard !soldTwice.isEmpty else { return [] }
    var lines = [
      "Holds that this Redis does not know, so that another made them, and who has the units here:"
    ]
    lines += soldTwice.map { "  \($0)" }
    lines.append(
      contradictionsLeft.isEmpty
        ? "With --release-others they are released, confirmed ones too, and this Redis's holds stand.  To "
          + "let the others stand, run this with the other Redis."
        : "Without them the books would still contradict themselves:")
    return lines + contradictionsLeft.prefix(Self.namesMax).map { "  \($0)" }
  }

  /// Whether what is compared is what is sold from.
  private var whoSells: String {
    guard let opening else { return "the books have never opened a Redis" }
    guard let redis, redis.name != opening.redis else { return "this Redis, \(opening.redis)" }
    let left = opening.leaseLeftMs.map {
      $0 > 0 ? ", for \($0) ms or until it is renewed" : ", no more"
    }
    return "ANOTHER Redis, \(opening.redis)\(left ?? ""); what it has sold is not compared here"
  }

  private func line(_ name: String, _ tally: RebuildSession.Tally, _ only: Int?) -> String {
    let total = tally.same + tally.different + tally.missing
    func cell(_ number: Int, _ width: Int) -> String {
      let text = "\(number)"
      return String(repeating: " ", count: max(0, width - text.utf8.count)) + text
    }
    return name + String(repeating: " ", count: 10 - name.utf8.count) + cell(total, 13)
      + cell(tally.same, 11) + cell(tally.different, 11) + cell(tally.missing, 11)
      + (only.map { cell($0, 15) } ?? "")
  }
}
