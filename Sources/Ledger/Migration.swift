/// A database that this program must not touch.
public enum MigrationError: Error, Equatable, CustomStringConvertible {
  /// A newer version of the program has already changed the tables.
  case databaseIsNewer(version: Int32, known: Int32)

  /// For the log.
  public var description: String {
    switch self {
    case .databaseIsNewer(let version, let known):
      "the database has migration \(version), this program knows \(known): run a newer program"
    }
  }
}

/// A numbered change of the tables.
struct Migration {
  let version: Int32
  let name: String
  let sql: [UInt8]

  /// Every change, oldest first.  One that has been released is never edited.
  static let all = [
    Migration(version: 1, name: "books", sql: PackageResources._001_books_up_sql)
  ]
}

extension Postgres {
  /// Brings the tables up to what this program expects.
  ///
  /// Any number of programs may do so at once: an advisory lock lets one after the other in, and each
  /// migration is one transaction together with its row in `schema_migrations`.
  /// - Throws: `PostgresError`; `MigrationError`, when trying again cannot help.
  public func migrate() throws { try migrate(to: Migration.all) }

  func migrate(to migrations: [Migration]) throws {
    try execute("SELECT pg_advisory_lock(hashtext('stockstream'), hashtext('migrations'))")
    // An error that leaves the connection alive must not leave the lock behind.
    defer {
      try? execute("SELECT pg_advisory_unlock(hashtext('stockstream'), hashtext('migrations'))")
    }
    try execute(
      """
      CREATE TABLE IF NOT EXISTS schema_migrations (
        version    integer     PRIMARY KEY,
        name       text        NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
      )
      """)
    let applied = try newestMigration()
    let known = migrations.last?.version ?? 0
    guard applied <= known else {
      throw MigrationError.databaseIsNewer(version: applied, known: known)
    }
    for migration in migrations where migration.version > applied { try apply(migration) }
  }

  private func newestMigration() throws(PostgresError) -> Int32 {
    let newest = Statement(
      name: "newest_migration", sql: "SELECT coalesce(max(version), 0) FROM schema_migrations")
    return try run(newest).integer(0, 0)
  }

  private func apply(_ migration: Migration) throws(PostgresError) {
    try transaction { () throws(PostgresError) in
      try execute(
        String(decoding: migration.sql, as: UTF8.self), withinMs: Self.migrationMsMax)
      try execute(
        "INSERT INTO schema_migrations (version, name) "
          + "VALUES (\(migration.version), '\(migration.name)')")
    }
  }
}
