public import Inventory

/// A row of `stock_movements`, as it stands there.
public struct Movement: Hashable, Sendable {
  /// Where it stands among the movements of its SKU.  Written `<entry> <event>`: a space is in neither.
  public struct Place: Hashable, Sendable, CustomStringConvertible {
    /// Milliseconds of the id of its stream entry.
    public let streamMs: Int64
    /// The number of the entry within its millisecond.
    public let streamSequence: Int64
    /// The event's id.
    public let event: String

    init(streamMs: Int64, streamSequence: Int64, event: String) {
      (self.streamMs, self.streamSequence, self.event) = (streamMs, streamSequence, event)
    }

    /// nil: not a written place.
    public init?(_ text: String) {
      let parts = text.split(separator: " ", omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[1].isEmpty else { return nil }
      let numbers = parts[0].split(separator: "-", omittingEmptySubsequences: false)
      guard numbers.count == 2, let ms = Int64(numbers[0]), let sequence = Int64(numbers[1]),
        ms >= 0, sequence >= 0
      else { return nil }
      self.init(streamMs: ms, streamSequence: sequence, event: String(parts[1]))
    }

    /// The written form.
    public var description: String { "\(streamMs)-\(streamSequence) \(event)" }
  }

  /// Its stream entry and its event.
  public let place: Place
  /// The type of the event.
  public let cause: String
  /// What has moved.
  public let sku: String
  /// Empty: it was no hold that moved it.
  public let hold: String
  /// Milliseconds since 1970.
  public let time: UInt64
  /// Of the hold, or of the SKU's stock.
  public let version: Int64
  /// How the figures moved.
  public let deltas: Correction.Deltas
  /// The figures after it; all zero for a hold's.
  public let after: Correction.Deltas
  /// Empty: there was none.
  public let requestID: String
  /// Empty: not said.
  public let actor: String
  /// Empty: not said.
  public let reason: String
  /// What a correction was about.
  public let found: String

  /// A row as `list_movements.sql` and `list_life.sql` select it.
  init(_ rows: Rows, _ row: Int) {
    func deltas(from column: Int) -> Correction.Deltas {
      Correction.Deltas(
        available: rows.integer(row, column), held: rows.integer(row, column + 1),
        sold: rows.integer(row, column + 2), supplied: rows.integer(row, column + 3))
    }
    place = Place(
      streamMs: rows.integer(row, 5), streamSequence: rows.integer(row, 6),
      event: rows.text(row, 0))
    cause = rows.text(row, 1)
    sku = rows.text(row, 2)
    hold = rows.text(row, 3)
    time = rows.ms(row, 4)
    version = rows.integer(row, 7)
    self.deltas = deltas(from: 8)
    after = deltas(from: 12)
    requestID = rows.text(row, 16)
    actor = rows.text(row, 17)
    reason = rows.text(row, 18)
    found = rows.text(row, 19)
  }
}
