/// Why and how the books were made to agree with the store again: the compensating entry that a
/// HOLD_CORRECTED or STOCK_CORRECTED event carries.
///
/// A class, so that the events and holds without one pay a word for it.
public final class Correction: Hashable, Sendable {
  /// Length of `found`, in bytes of UTF-8.
  public static let foundBytesMax = 512

  /// Units that the books add to their sums for a SKU.
  public struct Deltas: Hashable, Sendable {
    /// Units available.
    public var available: Int64
    /// Units in active holds.
    public var held: Int64
    /// Units in confirmed holds.
    public var sold: Int64
    /// Units supplied.
    public var supplied: Int64

    /// Nothing moves.
    public static let none = Deltas()

    /// Deltas from their parts.
    public init(available: Int64 = 0, held: Int64 = 0, sold: Int64 = 0, supplied: Int64 = 0) {
      (self.available, self.held, self.sold, self.supplied) = (available, held, sold, supplied)
    }

    /// Whether they keep `available + held + sold = supplied`.
    public var balance: Bool { available + held + sold == supplied }

    /// Both, one after the other.
    public static func + (one: Deltas, other: Deltas) -> Deltas {
      Deltas(
        available: one.available + other.available, held: one.held + other.held,
        sold: one.sold + other.sold, supplied: one.supplied + other.supplied)
    }

    /// What takes one to the other.
    public static func - (one: Deltas, other: Deltas) -> Deltas { one + -other }

    /// The way back.
    public static prefix func - (one: Deltas) -> Deltas {
      Deltas(
        available: -one.available, held: -one.held, sold: -one.sold, supplied: -one.supplied)
    }
  }

  /// Who asked for it.
  public let actor: Label
  /// Why, in that person's words.
  public let reason: Label
  /// What differed; at most `foundBytesMax`, without control characters.
  public let found: String
  /// What the books add to their sums.
  public let books: Deltas

  /// A correction from its parts.
  public init(actor: Label, reason: Label, found: String, books: Deltas) {
    precondition(found.utf8.count <= Self.foundBytesMax)
    (self.actor, self.reason, self.found, self.books) = (actor, reason, found, books)
  }

  /// Whether all parts are equal.
  public static func == (one: Correction, other: Correction) -> Bool {
    one.actor == other.actor && one.reason == other.reason && one.found == other.found
      && one.books == other.books
  }

  /// Feeds all parts.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(actor)
    hasher.combine(reason)
    hasher.combine(found)
    hasher.combine(books)
  }
}
