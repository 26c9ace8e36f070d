/// Who asked for a change, and why, in that person's own words.  It travels with what the call
/// changes into the event and the books, and decides nothing.
///
/// A class, so that the events and holds without one pay a word for it.
public final class Attribution: Hashable, Sendable {
  /// Who; nil: the caller did not say.
  public let actor: Label?
  /// Why; nil: the caller did not say.
  public let reason: Label?

  /// nil: neither is known.
  public init?(actor: Label?, reason: Label?) {
    guard actor != nil || reason != nil else { return nil }
    (self.actor, self.reason) = (actor, reason)
  }

  /// Whether both parts are equal.
  public static func == (one: Attribution, other: Attribution) -> Bool {
    one.actor == other.actor && one.reason == other.reason
  }

  /// Feeds both parts.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(actor)
    hasher.combine(reason)
  }
}
