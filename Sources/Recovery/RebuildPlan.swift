public import HotPath
public import Ledger

/// What a rebuild would find and do.
public struct RebuildPlan: CustomStringConvertible {
  /// Names of SKUs that are listed.
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
  /// SKUs whose active holds are not what their movements say is held.
  public internal(set) var unbalanced: [String] = []
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
        + (fence.lost.map { "closed: \($0)" } ?? (fence.opening == nil ? "not open" : "open")),
      "books    epoch \(books.map { "\($0.deployment).\($0.number)" } ?? "none"), newest entry "
        + (newest?.description ?? "none")
        + (books?.isRebuilding == true ? ", a rebuild has begun and not ended" : ""),
      "",
      "           in the books       same  different    missing  only in redis",
      line("SKUs", skus, nil), line("holds", holds, onlyInRedis), "active holds: \(active)",
      "",
    ]
    if unapplied != 0 {
      lines.append(
        "\(unapplied.map { "\($0)" } ?? "Some") entries of the stream are not in the books yet: "
          + "workers apply them first.")
    }
    if deadLetters > 0 {
      lines.append(
        "\(deadLetters) dead letters are not in the books: replay or discard them first.")
    }
    if !unbalanced.isEmpty {
      lines.append(
        "The books contradict themselves, and nothing is rebuilt from them: "
          + unbalanced.joined(separator: ", ") + ".")
    }
    lines.append(
      "Lost, and known to nobody here: what Redis acknowledged after "
        + "\(newest?.description ?? "the beginning") and no worker has read, and the dead letters of "
        + "a Redis that is gone.")
    return lines.joined(separator: "\n")
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
