/// Which Redis the books have opened to the sale.
///
/// How it works.  One row names the process that sells, and until when it may sell without asking again.
/// Another takes its place only in a transaction that finds that the first cannot sell any more, and that
/// excludes every transaction which writes events of the first (`require_opened`), so that what has been
/// compared is still true when it commits.  Times are PostgreSQL's: of a Redis's own clock only the length
/// of a lease counts.
public struct BookedOpening: Equatable, Sendable {
  /// A Redis that has been seen by a worker within so many milliseconds is alive.
  public static let seenMs: Int64 = 5_000

  /// Names the process of Redis, in one of its times as a master.
  public let redis: String
  /// Milliseconds for which it may still sell, at most; nil: its opening does not end by itself.
  public let leaseLeftMs: Int64?
  /// The worker that has seen it last; nil: it was opened by a version that did not write this down.
  public let seenBy: String?
  /// How long ago, in milliseconds.
  public let seenAgoMs: Int64

  /// Why another process must not be opened beside it yet; nil: it cannot sell any more, as far as the
  /// books know.
  /// - Parameter worker: who asks: it sees the other, and so not this one any more.
  public func refusal(to worker: String) -> String? {
    if let leaseLeftMs {
      return leaseLeftMs > 0
        ? "waiting until the opening of another Redis, \(redis), has run out" : nil
    }
    guard let seenBy, seenBy != worker, seenAgoMs < Self.seenMs else { return nil }
    return "another Redis, \(redis), is open to the sale, and worker \(seenBy) sees it"
  }
}

extension Postgres {
  /// Which Redis is open; nil: none ever was.
  public func bookedOpening() throws(PostgresError) -> BookedOpening? {
    let rows = try run(
      Statement(
        "booked_opening",
        """
        SELECT opened_run_id, (extract(epoch FROM lease_ends_at - clock_timestamp()) * 1000)::bigint,
          seen_by, coalesce((extract(epoch FROM clock_timestamp() - seen_at) * 1000)::bigint, 0)
        FROM fence WHERE opened_run_id IS NOT NULL
        """))
    guard rows.count > 0 else { return nil }
    return BookedOpening(
      redis: rows.text(0, 0), leaseLeftMs: rows.isNull(0, 1) ? nil : rows.integer(0, 1),
      seenBy: rows.isNull(0, 2) ? nil : rows.text(0, 2), seenAgoMs: rows.integer(0, 3))
  }

  /// Whether events of a process of Redis may be written into the books: it is the one that is open.
  public func takesEvents(of redis: String) throws(PostgresError) -> Bool {
    try bookedOpening()?.redis == redis
  }

  /// Names a process of Redis as the one that sells, if nothing is against it.
  /// - Parameters:
  ///   - redis: the process, in this time as a master.
  ///   - leaseMs: for how long, from now on, no other may be opened; nil: until it is seen no more.
  ///   - worker: who asks.
  ///   - isSame: whether a name is another of the same Redis.
  ///   - objection: why not, looked for while nothing else is written into the books; nil: nothing.
  /// - Returns: why not; nil: it is named.
  public func grant(
    opening redis: String, leaseMs: Int64?, to worker: String,
    after isSame: (String) -> Bool = { _ in false },
    unless objection: () throws(PostgresError) -> String?
  ) throws(PostgresError) -> String? {
    try transaction { () throws(PostgresError) in
      _ = try run(Statement("lock_opening", "SELECT pg_advisory_xact_lock(7421, 1)::text"))
      if let holder = try bookedOpening(), holder.redis != redis, !isSame(holder.redis),
        let reason = holder.refusal(to: worker)
      {
        return reason
      }
      if let reason = try objection() { return reason }
      _ = try run(
        Statement(
          "grant_opening",
          """
          UPDATE fence SET opened_run_id = ($1::text[])[1], opened_at = clock_timestamp(),
            seen_by = ($2::text[])[1], seen_at = clock_timestamp(),
            lease_ends_at = clock_timestamp() + ($3::bigint[])[1] * interval '1 ms'
          """), Self.columns(redis, worker, leaseMs))
      return nil
    }
  }

  /// Confirms that a process of Redis is the one that sells, and for how long no other may be opened.
  /// - Parameter leaseMs: nil: until it is seen no more; that much may be lost in a crash of PostgreSQL.
  /// - Returns: whether it is.
  public func renew(
    opening redis: String, leaseMs: Int64?, by worker: String
  ) throws(PostgresError) -> Bool {
    try transaction { () throws(PostgresError) in
      if leaseMs == nil { try execute("SET LOCAL synchronous_commit = off") }
      let rows = try run(
        Statement(
          "renew_opening",
          """
          UPDATE fence SET seen_by = ($2::text[])[1], seen_at = clock_timestamp(),
            lease_ends_at = CASE WHEN ($3::bigint[])[1] IS NOT NULL THEN greatest(
              lease_ends_at, clock_timestamp() + ($3::bigint[])[1] * interval '1 ms') END
          WHERE opened_run_id = ($1::text[])[1] RETURNING 1
          """), Self.columns(redis, worker, leaseMs))
      return rows.count > 0
    }
  }

  private static func columns(_ redis: String, _ worker: String, _ leaseMs: Int64?) -> [Column] {
    let (run, name, length) = (Column(.text), Column(.text), Column(.bigint))
    run.add(redis)
    name.add(worker)
    if let leaseMs { length.add(leaseMs) } else { length.addNull() }
    return [run, name, length]
  }
}
