// Whether the books can be kept in a database, over a connection to it.

/// What makes a database, or the way to it, unfit for the books; a sentence each, for log and health.
enum Fitness {
  static let standby =
    "it is a standby, which is read-only (pg_is_in_recovery): the books need the primary"
  static let readOnly =
    "it is read-only (default_transaction_read_only = on, of the server, the database or the role): "
    + "the books must be written"
  static let nowhere =
    "search_path names no schema that is there and that this role may use: the tables have no place"
  static let pooled =
    "a pooler gives every transaction another session (pgbouncer: pool_mode = transaction or statement): "
    + "a worker needs a session of its own (pool_mode = session, or no pooler)"
}

extension Postgres {
  /// Asks whether the books can be kept here, over this connection, as things stand.
  /// - Throws: `PostgresError.unfit` with the reason; `MigrationError.encoding`, which no time mends; what
  ///   the question itself comes to.
  public func checkFitness() throws {
    // As a text: what a pooler shares between sessions is not prepared.
    let rows = try execute(
      """
      SELECT current_setting('server_encoding'), pg_is_in_recovery()::text,
        current_setting('transaction_read_only'), coalesce(current_schema(), ''),
        coalesce(current_setting('stockstream.session', true), '')
      """)
    let encoding = rows.text(0, 0)
    guard encoding == "UTF8" else { throw MigrationError.encoding(encoding) }
    let reason: String? =
      if rows.text(0, 1) == "true" {
        Fitness.standby
      } else if rows.text(0, 2) == "on" {
        Fitness.readOnly
      } else if rows.text(0, 3).isEmpty {
        Fitness.nowhere
      } else if rows.text(0, 4) != mark {
        Fitness.pooled
      } else {
        nil
      }
    if let reason { throw PostgresError.unfit(reason) }
  }

  /// Asks whether this connection has a session of its own.
  ///
  /// How it works.  Between a pooler and PostgreSQL are other processes than the one that the pooler has
  /// named.  One that gives every transaction another session gives this one's to a second connection as
  /// soon as that begins a transaction, most likely, and then answers here from another.
  /// - Throws: `PostgresError.unfit` where it has not; what the questions come to.
  public func checkSession() throws(PostgresError) {
    guard try process() != named else { return }
    let other = try Postgres(address, name: "\(name) beside", limits: limits)
    for _ in 0..<Self.sessionTries {
      let before = try process()
      try other.execute("BEGIN")
      let shared = try other.process()
      let after = try process()
      try other.execute("ROLLBACK")
      if before != after || shared == before { throw .unfit(Fitness.pooled) }
    }
  }

  /// How often a second connection is tried: others may come in between.
  private static var sessionTries: Int { 10 }

  /// The process of PostgreSQL at the other end, as it says itself.
  private func process() throws(PostgresError) -> String {
    try execute("SELECT pg_backend_pid()").text(0, 0)
  }
}
