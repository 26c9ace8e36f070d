import CPQ
import Glibc
import Loop

/// One connection to PostgreSQL: libpq, with a deadline on every reply.
///
/// How it works.  A statement is sent and then waited for with `poll`, so that a server that has
/// stopped without closing its sockets is noticed.  Statements with parameters are prepared at their
/// first use.  After `PostgresError.lost` the connection is of no more use: make another.
///
/// One thread at a time.  The connection is closed by deinit.
public final class Postgres {
  /// Making a connection may take this long, per address of the host.
  static let connectSecondsMax = 5
  /// So long a host's name is looked up, in milliseconds.
  static let lookupMsMax = 2_000
  /// A migration may take this long: it may have to read whole tables.
  static let migrationMsMax = 3_600_000
  /// An idle connection is probed after this long, this often, and given up after so many.
  static let keepaliveSeconds = (idle: 5, interval: 2, count: 3)

  /// How long PostgreSQL may take; one setting, from which the others follow.
  public struct Limits: Sendable {
    /// A reply may take this long, in milliseconds; then the connection is given up.
    public let replyMs: Int
    /// The server ends a statement by itself before that, so that its locks do not outlive us.
    var statementMs: Int { replyMs * 3 / 4 }
    /// A statement waits this long for a lock.
    var lockMs: Int { replyMs / 4 }

    /// - Parameter replyMs: at least 100.
    public init(replyMs: Int) {
      precondition(replyMs >= 100)
      self.replyMs = replyMs
    }

    /// 20 seconds for a reply.
    public static let standard = Limits(replyMs: 20_000)
  }

  /// Called before each reply that is waited for, with the milliseconds that it may take.
  public var waits: ((_ ms: Int) -> Void)?
  /// What only this connection's own session knows (`checkFitness`).
  let mark = String(UInt64.random(in: .min ... .max), radix: 36)

  let address: DatabaseAddress
  let name: String
  let limits: Limits
  /// The process at the other end, as it was named when the connection was made.
  var named: String { "\(PQbackendPID(connection))" }

  private let connection: OpaquePointer
  private var prepared: Set<String> = []

  /// Connects.  Blocks for `lookupMsMax` and `connectSecondsMax` at most, per host.
  /// - Parameter name: shown in `pg_stat_activity`.
  public init(
    _ address: DatabaseAddress, name: String, limits: Limits = .standard
  ) throws(PostgresError) {
    (self.address, self.name, self.limits) = (address, name, limits)
    // libpq's own timeout does not cover its lookup, which then has been made a moment ago.
    for host in address.names { try Self.waitForNameServer(about: host) }
    // Later ones win: the address overrides the defaults before it, but not what follows it.
    let settings = [
      ("connect_timeout", "\(Self.connectSecondsMax)"),
      ("keepalives_idle", "\(Self.keepaliveSeconds.idle)"),
      ("keepalives_interval", "\(Self.keepaliveSeconds.interval)"),
      ("keepalives_count", "\(Self.keepaliveSeconds.count)"),
      ("tcp_user_timeout", "\(limits.replyMs)"),
      ("fallback_application_name", name),
      ("dbname", address.connectionString),
      ("client_encoding", "UTF8"),
    ]
    let keywords = settings.map { strdup($0.0) }
    let values = settings.map { strdup($0.1) }
    defer { for text in keywords + values { free(text) } }
    let made = PQconnectdbParams(
      keywords.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil], 1)
    guard let made else { throw .lost("no memory for a connection") }
    connection = made
    guard PQstatus(made) == CONNECTION_OK else { throw lost() }
    PQsetnonblocking(made, 1)
    PQsetNoticeProcessor(made, { _, _ in }, nil)
    // After the address's own options, and by statements, since a pooler may refuse options.  What is
    // acknowledged to Redis is on PostgreSQL's disk, whatever server, database or role say: with
    // synchronous_commit off a crash would take back commits.  Any other level waits for the disk.
    // No statement of ours is worth compiling: PostgreSQL would do so for each execution anew, for a second.
    try execute(
      "SET jit = off; "
        + "SET statement_timeout = \(limits.statementMs); SET lock_timeout = \(limits.lockMs); "
        + "SET idle_in_transaction_session_timeout = \(limits.replyMs); "
        + "SET stockstream.session = '\(mark)'; "
        + "SELECT set_config('synchronous_commit', 'on', false) "
        + "WHERE current_setting('synchronous_commit') = 'off'")
  }

  deinit { PQfinish(connection) }

  /// - Throws: when nothing is heard about a name; that it does not exist libpq says itself.
  private static func waitForNameServer(about name: String) throws(PostgresError) {
    let isHeard = HostLookup.isAnswered(about: name, withinMs: lookupMsMax)
    if !isHeard { throw .lost(HostLookup.silence(about: name, ms: lookupMsMax).description) }
  }

  /// Settings that are off and that no session can turn on: a crash of the server can lose or tear what
  /// has been committed.
  public func missingDurability() throws(PostgresError) -> [String] {
    let rows = try run(
      Statement(
        "missing_durability",
        "SELECT name FROM unnest(ARRAY['fsync', 'full_page_writes']) AS name "
          + "WHERE current_setting(name) = 'off'"))
    return (0..<rows.count).map { rows.text($0, 0) }
  }

  /// Asks whether the server answers.
  public func ping() throws(PostgresError) { try execute("SELECT 1") }

  /// Runs a text of one or several statements without parameters.
  /// - Returns: the rows of the last, with values as text.
  @discardableResult
  func execute(_ sql: String, withinMs: Int? = nil) throws(PostgresError) -> Rows {
    guard PQsendQuery(connection, sql) == 1 else { throw lost() }
    return try reply(withinMs: withinMs)
  }

  /// Runs a prepared statement.
  /// - Parameter columns: one for each of `$1`, `$2`, …
  /// - Returns: its rows, with values in binary.
  func run(
    _ statement: Statement, _ columns: [Column] = []
  ) throws(PostgresError) -> Rows {
    try prepare(statement)
    try send(statement, columns)
    return try reply()
  }

  /// A statement with its parameters, for a pipeline.
  struct Step {
    let statement: Statement
    let columns: [Column]
    /// Whether its rows are counted.
    let counts: Bool

    init(_ statement: Statement, _ columns: [Column], counts: Bool = false) {
      (self.statement, self.columns, self.counts) = (statement, columns, counts)
    }
  }

  /// Runs statements in one transaction and one round trip: libpq's pipeline mode, in which all that
  /// comes before a sync is committed there, or has no effect.
  ///
  /// When it throws `.lost`, nobody knows whether they were committed.
  /// - Returns: how many rows the counted statements have written.
  func run(_ steps: [Step]) throws(PostgresError) -> Int {
    for step in steps { try prepare(step.statement) }
    guard PQenterPipelineMode(connection) == 1 else { throw lost() }
    for step in steps { try send(step.statement, step.columns) }
    guard PQpipelineSync(connection) == 1 else { throw lost() }
    let deadline = deadline(afterMs: limits.replyMs)
    try flush(until: deadline)
    var failure: PostgresError?
    var written = 0
    for step in steps {
      guard let rows = try next(until: deadline) else { throw lost() }
      failure = failure ?? self.failure(of: rows)
      if step.counts { written += rows.written }
      while try next(until: deadline) != nil {}
    }
    guard let end = try next(until: deadline) else { throw lost() }
    if end.status != PGRES_PIPELINE_SYNC {
      // The commit itself was refused; the sync comes after it.
      failure = failure ?? self.failure(of: end)
      while let more = try next(until: deadline), more.status != PGRES_PIPELINE_SYNC {}
    }
    guard PQexitPipelineMode(connection) == 1 else { throw lost() }
    if let failure { throw failure }
    return written
  }

  /// Runs a statement and hands each of its rows to `body` as it comes, alone.
  ///
  /// When `body` throws, the rest is unread and the connection is of no more use.
  func each(
    _ statement: Statement, _ columns: [Column] = [], _ body: (Rows) throws -> Void
  ) throws {
    try prepare(statement)
    try send(statement, columns)
    guard PQsetSingleRowMode(connection) == 1 else { throw lost() }
    try flush(until: deadline(afterMs: limits.replyMs))
    while let rows = try next(until: deadline(afterMs: limits.replyMs)) {
      if rows.status == PGRES_SINGLE_TUPLE {
        try body(rows)
      } else if let failure = failure(of: rows) {
        throw failure
      }
    }
  }

  private func send(_ statement: Statement, _ columns: [Column]) throws(PostgresError) {
    let bytes = columns.map(\.bytes)
    let sent = PQsendQueryPrepared(
      connection, statement.name, Int32(columns.count),
      bytes.map { $0.baseAddress!.assumingMemoryBound(to: CChar.self) },
      bytes.map { Int32($0.count) }, bytes.map { _ in 1 }, 1)
    guard sent == 1 else { throw lost() }
  }

  /// Runs `body` between BEGIN and COMMIT; ROLLBACK when it throws.
  ///
  /// When COMMIT itself throws `.lost`, nobody knows whether it happened.
  func transaction<Result>(
    _ body: () throws(PostgresError) -> Result
  ) throws(PostgresError) -> Result {
    try execute("BEGIN")
    let result: Result
    do {
      result = try body()
    } catch {
      if case .statement = error { try execute("ROLLBACK") }
      throw error
    }
    try execute("COMMIT")
    return result
  }

  private func prepare(_ statement: Statement) throws(PostgresError) {
    guard !prepared.contains(statement.name) else { return }
    guard PQsendPrepare(connection, statement.name, statement.sql, 0, nil) == 1 else {
      throw lost()
    }
    _ = try reply()
    prepared.insert(statement.name)
  }

  // MARK: waiting

  /// When what is sent now must have been answered.
  private func deadline(afterMs ms: Int) -> ContinuousClock.Instant {
    waits?(ms)
    return .now + .milliseconds(ms)
  }

  /// The last result of what was sent; throws the first error among the results.
  private func reply(withinMs: Int? = nil) throws(PostgresError) -> Rows {
    let deadline = deadline(afterMs: withinMs ?? limits.replyMs)
    try flush(until: deadline)
    var rows: Rows?
    var failure: PostgresError?
    while let next = try next(until: deadline) {
      failure = failure ?? self.failure(of: next)
      rows = next
    }
    if let failure { throw failure }
    guard let rows else { throw lost() }
    return rows
  }

  /// Sends what is waiting.  The server may have to be read from before it reads on.
  private func flush(until deadline: ContinuousClock.Instant) throws(PostgresError) {
    while true {
      let unsent = PQflush(connection)
      guard unsent >= 0 else { throw lost() }
      if unsent == 0 { return }
      try wait(for: POLLIN | POLLOUT, until: deadline)
    }
  }

  /// The next result; nil: the statement has no more.
  private func next(until deadline: ContinuousClock.Instant) throws(PostgresError) -> Rows? {
    while PQisBusy(connection) == 1 { try wait(for: POLLIN, until: deadline) }
    return PQgetResult(connection).map { Rows($0) }
  }

  private func wait(
    for events: Int32, until deadline: ContinuousClock.Instant
  ) throws(PostgresError) {
    let left = (deadline - .now).components
    let leftMs = Int32(clamping: left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000)
    guard leftMs > 0 else { throw .lost("no reply in time") }
    var socket = pollfd(fd: PQsocket(connection), events: Int16(events), revents: 0)
    // A signal may end the wait early: the loop around it asks again.
    _ = poll(&socket, 1, leftMs)
    if socket.revents & Int16(POLLIN | POLLERR | POLLHUP) != 0 {
      guard PQconsumeInput(connection) == 1 else { throw lost() }
    }
  }

  // MARK: errors

  private func failure(of rows: Rows) -> PostgresError? {
    switch rows.status {
    case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY, PGRES_PIPELINE_SYNC,
      PGRES_PIPELINE_ABORTED:
      return nil
    default: break
    }
    let sqlState = rows.errorField(UInt8(ascii: "C"))
    let message = rows.errorField(UInt8(ascii: "M"))
    guard let sqlState, let message else { return lost() }
    // Each statement is prepared once for each connection: another's session says otherwise.
    if ["26000", "42P05"].contains(sqlState) { return .unfit(Fitness.pooled) }
    return .statement(sqlState: sqlState, message: message)
  }

  private func lost() -> PostgresError {
    let words = String(cString: PQerrorMessage(connection)).split(whereSeparator: \.isWhitespace)
    return .lost(words.isEmpty ? "connection lost" : words.joined(separator: " "))
  }
}

/// A statement that is prepared once per connection.
struct Statement {
  let name: String
  let sql: String

  init(_ name: String, _ sql: String) { (self.name, self.sql) = (name, sql) }

  /// A statement from a file.
  init(_ name: String, _ sql: [UInt8]) { self.init(name, String(decoding: sql, as: UTF8.self)) }
}

/// One result: rows, a count, or an error.  Owns libpq's memory.
final class Rows {
  private let result: OpaquePointer

  init(_ result: OpaquePointer) { self.result = result }

  deinit { PQclear(result) }

  var status: ExecStatusType { PQresultStatus(result) }

  /// How many rows an INSERT, UPDATE or DELETE has written.
  var written: Int { Int(String(cString: PQcmdTuples(result))) ?? 0 }

  /// The codes are PG_DIAG_SQLSTATE and PG_DIAG_MESSAGE_PRIMARY of postgres_ext.h.  The detail would
  /// hold values of rows.
  func errorField(_ code: UInt8) -> String? {
    PQresultErrorField(result, Int32(code)).map { String(cString: $0) }
  }

  func integer<Integer: FixedWidthInteger>(_ row: Int, _ column: Int) -> Integer {
    let bytes = bytes(row, column)
    precondition(bytes.count == MemoryLayout<Integer>.size, "the column has another type")
    return Integer(bigEndian: bytes.loadUnaligned(as: Integer.self))
  }

  /// How many rows a SELECT has found.
  var count: Int { Int(PQntuples(result)) }

  func isNull(_ row: Int, _ column: Int) -> Bool {
    PQgetisnull(result, Int32(row), Int32(column)) == 1
  }

  func text(_ row: Int, _ column: Int) -> String {
    String(decoding: bytes(row, column), as: UTF8.self)
  }

  func flag(_ row: Int, _ column: Int) -> Bool { integer(row, column) as UInt8 != 0 }

  /// A time, in milliseconds since 1970; 0 for one before.
  func ms(_ row: Int, _ column: Int) -> UInt64 {
    let microseconds: Int64 = integer(row, column)
    // PostgreSQL counts from 2000-01-01, and knows infinity.
    return UInt64(clamping: microseconds / 1000 + 946_684_800_000)
  }

  private func bytes(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: PQgetvalue(result, Int32(row), Int32(column)),
      count: Int(PQgetlength(result, Int32(row), Int32(column))))
  }
}
