/// The books' memory of dead letters that somebody has discarded: their events will never be applied,
/// and whoever finds the gap must find out why.
///
/// One thread at a time.
public final class Discards {
  /// One letter, and who discards it why.
  public struct Letter: Sendable {
    /// The event's id.
    public let eventID: String
    /// Its entry among the dead letters.
    public let place: String
    /// As it stood in the stream.
    public let eventType: String
    /// As it stood in the stream.
    public let event: [UInt8]
    /// Why it was dead.
    public let deadReason: String
    /// How often it was tried.
    public let attempts: Int

    /// A letter from its parts.
    public init(
      eventID: String, place: String, eventType: String, event: [UInt8], deadReason: String,
      attempts: Int
    ) {
      (self.eventID, self.place, self.eventType) = (eventID, place, eventType)
      (self.event, self.deadReason, self.attempts) = (event, deadReason, attempts)
    }
  }

  private let database: Postgres

  /// In a database whose tables are up to date (`Postgres.migrate`).
  public init(in database: Postgres) { self.database = database }

  /// Asks whether the database answers.
  public func ping() throws(PostgresError) { try database.ping() }

  /// Remembers letters that are about to go; doing so again changes nothing.  When it returns, all is
  /// committed.
  /// - Parameters:
  ///   - actor: who, in the caller's own words.
  ///   - peer: where the call came from.
  ///   - reason: why.
  public func remember(
    _ letters: [Letter], actor: String, peer: String, reason: String
  ) throws(PostgresError) {
    let (ids, places, types) = (Column(.text), Column(.text), Column(.text))
    let (events, reasons, attempts) = (Column(.bytea), Column(.text), Column(.integer))
    let (actors, peers, whys) = (Column(.text), Column(.text), Column(.text))
    for letter in letters {
      ids.add(Self.storable(letter.eventID))
      places.add(letter.place)
      types.add(Self.storable(letter.eventType))
      events.add(bytes: letter.event)
      reasons.add(Self.storable(letter.deadReason))
      attempts.add(Int32(clamping: letter.attempts))
      actors.add(actor)
      peers.add(peer)
      whys.add(reason)
    }
    _ = try database.run(
      .rememberDiscards,
      [ids, places, types, events, reasons, attempts, actors, peers, whys])
  }

  /// PostgreSQL's text holds no NUL.
  private static func storable(_ text: String) -> String { text.replacing("\0", with: "\u{FFFD}") }
}

extension Statement {
  fileprivate static let rememberDiscards = Statement(
    "remember_discards", PackageResources.remember_discards_sql)
}
