/// A database that this program must not touch.
public enum MigrationError: Error, Equatable, CustomStringConvertible {
  /// A newer version of the program has already changed the tables.
  case databaseIsNewer(version: Int32, known: Int32)
  /// There is no such version to go to.
  case unknownVersion(Int32, known: Int32)
  /// It holds its texts in another encoding than UTF8, and not every name that the shop may sell.
  case encoding(String)

  /// For the log.
  public var description: String {
    switch self {
    case .databaseIsNewer(let version, let known):
      "the database has migration \(version), this program knows \(known): run a newer program"
    case .unknownVersion(let version, let known):
      "there is no migration \(version): this program knows 0 to \(known)"
    case .encoding(let encoding):
      "the database has the encoding \(encoding), and the books need UTF8: make one with "
        + "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
    }
  }
}

/// A numbered change of the tables, there and back.
struct Migration {
  let version: Int32
  let name: String
  let up: [UInt8]
  let down: [UInt8]

  /// Every change, oldest first.  One that has been released is never edited.
  static let all = [
    Migration(
      version: 1, name: "books", up: PackageResources._001_books_up_sql,
      down: PackageResources._001_books_down_sql),
    Migration(
      version: 2, name: "movements", up: PackageResources._002_movements_up_sql,
      down: PackageResources._002_movements_down_sql),
    Migration(
      version: 3, name: "corrections", up: PackageResources._003_corrections_up_sql,
      down: PackageResources._003_corrections_down_sql),
    Migration(
      version: 4, name: "fence", up: PackageResources._004_fence_up_sql,
      down: PackageResources._004_fence_down_sql),
    Migration(
      version: 5, name: "discards", up: PackageResources._005_discards_up_sql,
      down: PackageResources._005_discards_down_sql),
    Migration(
      version: 6, name: "orders", up: PackageResources._006_orders_up_sql,
      down: PackageResources._006_orders_down_sql),
    Migration(
      version: 7, name: "lists", up: PackageResources._007_lists_up_sql,
      down: PackageResources._007_lists_down_sql),
    Migration(
      version: 8, name: "applied", up: PackageResources._008_applied_up_sql,
      down: PackageResources._008_applied_down_sql),
    Migration(
      version: 9, name: "lease", up: PackageResources._009_lease_up_sql,
      down: PackageResources._009_lease_down_sql),
    Migration(
      version: 10, name: "opened", up: PackageResources._010_opened_up_sql,
      down: PackageResources._010_opened_down_sql),
  ]

  /// The version that this program expects.
  static let newest = all.last!.version
}

extension Postgres {
  /// Brings the tables up to what this program expects, where the books can be kept (`checkFitness`,
  /// `checkSession`).  A database that is there already needs no right but to read.
  ///
  /// Any number of programs may do so at once: an advisory lock lets one after the other in, and each
  /// migration is one transaction together with its row in `schema_migrations`.
  /// - Throws: `PostgresError`; `MigrationError`, when trying again cannot help.
  public func migrate() throws { try migrate(with: Migration.all) }

  /// Brings the tables to a version, up or down.  Going down loses what the older tables cannot hold;
  /// 0 takes all of them away.
  /// - Parameter version: nil: the newest.
  /// - Returns: the version that the tables have now.
  /// - Throws: `PostgresError`; `MigrationError`, when trying again cannot help.
  public func migrate(to version: Int32?) throws -> Int32 {
    let version = version ?? Migration.newest
    try migrate(with: Migration.all, to: version)
    return version
  }

  /// - Parameter version: nil: the last of the list, and never down.
  func migrate(with migrations: [Migration], to version: Int32? = nil) throws {
    let known = migrations.last?.version ?? 0
    let wanted = version ?? known
    guard wanted <= known, wanted >= 0 else {
      throw MigrationError.unknownVersion(wanted, known: known)
    }
    try checkFitness()
    try checkSession()
    let before = try appliedVersion()
    if before == wanted { return }
    guard before <= known else {
      throw MigrationError.databaseIsNewer(version: before, known: known)
    }
    try execute(
      "SELECT pg_advisory_lock(hashtext('stockstream'), hashtext('migrations'))",
      withinMs: Self.migrationMsMax)
    // An error that leaves the connection alive must not leave the lock behind.
    defer {
      _ = try? execute("SELECT pg_advisory_unlock(hashtext('stockstream'), hashtext('migrations'))")
    }
    try execute(
      """
      CREATE TABLE IF NOT EXISTS schema_migrations (
        version    integer     PRIMARY KEY,
        name       text        NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
      )
      """)
    let applied = try appliedVersion()
    guard applied <= known else {
      throw MigrationError.databaseIsNewer(version: applied, known: known)
    }
    for migration in migrations where migration.version > applied && migration.version <= wanted {
      try apply(migration)
    }
    guard version != nil else { return }
    for migration in migrations.reversed()
    where migration.version <= applied && migration.version > wanted {
      try revert(migration)
    }
  }

  private func appliedVersion() throws(PostgresError) -> Int32 {
    let table = Statement(
      "has_migrations", "SELECT (to_regclass('schema_migrations') IS NOT NULL)::integer")
    guard try run(table).integer(0, 0) == Int32(1) else { return 0 }
    let newest = Statement(
      "newest_migration", "SELECT coalesce(max(version), 0) FROM schema_migrations")
    return try run(newest).integer(0, 0)
  }

  private func apply(_ migration: Migration) throws(PostgresError) {
    try change(
      migration.up,
      "INSERT INTO schema_migrations (version, name) "
        + "VALUES (\(migration.version), '\(migration.name)')")
  }

  private func revert(_ migration: Migration) throws(PostgresError) {
    try change(
      migration.down, "DELETE FROM schema_migrations WHERE version = \(migration.version)")
  }

  private func change(_ sql: [UInt8], _ record: String) throws(PostgresError) {
    try transaction { () throws(PostgresError) in
      try execute("SET LOCAL statement_timeout = 0")
      try execute(String(decoding: sql, as: UTF8.self), withinMs: Self.migrationMsMax)
      try execute(record)
    }
  }
}
