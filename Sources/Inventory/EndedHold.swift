/// What Redis remembers of a hold that has ended and is in the books.
///
/// It tells a repeat from another request, and keeps the key from being used again, until it is forgotten.
/// What was held by whom, and how it was paid, is in the books.
public struct EndedHold: Hashable, Sendable {
  /// Key and generation.
  public var id: HoldID
  /// How it ended.
  public var status: HoldStatus
  /// That of its last change.
  public var version: UInt64
  /// Milliseconds since 1970: the deadline.
  public var expiresAt: UInt64
  /// Milliseconds since 1970: when it ended.
  public var changedAt: UInt64

  /// Milliseconds since 1970.
  public var createdAt: UInt64 { id.generation }

  /// What is left, from its parts.
  public init(
    id: HoldID, status: HoldStatus, version: UInt64, expiresAt: UInt64, changedAt: UInt64
  ) {
    self.id = id
    self.status = status
    self.version = version
    self.expiresAt = expiresAt
    self.changedAt = changedAt
  }

  /// What is left of a hold.
  public init(of hold: Hold) {
    self.init(
      id: hold.id, status: hold.status, version: hold.version, expiresAt: hold.expiresAt,
      changedAt: hold.changedAt)
  }
}
