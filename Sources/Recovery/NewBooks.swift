public import HotPath
public import Ledger

/// Gives books that are new on purpose the name of the Redis whose events they are to take from now on.
///
/// Without a person's word workers do not do so: to a mistyped database, or to one that was not restored,
/// they would give away what the right one never hears of.
public struct NewBooks {
  /// Why they get no name.
  public struct Refusal: Error, CustomStringConvertible {
    /// For a person.
    public let description: String
  }

  /// Another worker that has asked the stream for entries within so many milliseconds reads it.
  static let readerMs: UInt64 = 10_000

  private let stream: EventStream
  private let books: Postgres

  /// Connects to both stores, and makes the tables.
  public init(
    in database: DatabaseAddress, of redis: RedisAddress, keys: KeySpace = KeySpace()
  ) throws {
    stream = try EventStream(at: redis, keys: keys, consumer: "new-books")
    books = try Postgres(database, name: "stockworker --new-books")
    try books.migrate()
  }

  /// Does it; repeated, it changes nothing.
  /// - Returns: for a person, what has been done.
  /// - Throws: `Refusal`; what a store throws.
  public func name() throws -> String {
    if let master = try stream.identity().master {
      throw Refusal(description: "this Redis is a replica of \(master): name its master")
    }
    let redis = try stream.fence().epoch
    if let named = try books.bookedEpoch() {
      guard named.deployment == redis?.deployment else {
        throw Refusal(
          description: "these books are not new: they are of deployment \(named.deployment), and "
            + "this Redis of \(redis?.deployment ?? "none")")
      }
      return "The books are of deployment \(named.deployment) already.  Nothing was changed."
    }
    let readers = try stream.readers(withinMs: Self.readerMs)
    guard readers.isEmpty else {
      throw Refusal(
        description: "other books take the events of this Redis: stop "
          + "\(readers.joined(separator: ", ")) first")
    }
    let epoch = redis ?? .first(lot: .random(in: .min ... .max))
    // Redis before the books: cut off in between, it is run again.
    if redis == nil { try stream.name(epoch) }
    try books.name(BookedEpoch(deployment: epoch.deployment, number: epoch.number))
    let missing = try stream.newestDelivered().map {
      "  What others have taken, up to entry \($0), is not in them: see stockctl audit."
    }
    return "The books are of deployment \(epoch.deployment) now.\(missing ?? "")"
  }
}
