import CPQ
import Glibc

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
  /// A statement may take this long, waiting for locks included.
  static let replyMsMax = 60_000
  /// A migration may take this long: it may have to read whole tables.
  static let migrationMsMax = 3_600_000
  /// An idle connection is probed after this long, this often, and given up after so many.
  static let keepaliveSeconds = (idle: 10, interval: 5, count: 3)
  /// Sent bytes that stay unacknowledged for this long end the connection.
  static let unacknowledgedMsMax = 15_000

  private let connection: OpaquePointer
  private var prepared: Set<String> = []

  /// Connects.  Blocks for `connectSecondsMax` at most.
  /// - Parameter name: shown in `pg_stat_activity`.
  public init(_ address: DatabaseAddress, name: String) throws(PostgresError) {
    // Later ones win: the address overrides the defaults before it, but not what follows it.
    let settings = [
      ("connect_timeout", "\(Self.connectSecondsMax)"),
      ("keepalives_idle", "\(Self.keepaliveSeconds.idle)"),
      ("keepalives_interval", "\(Self.keepaliveSeconds.interval)"),
      ("keepalives_count", "\(Self.keepaliveSeconds.count)"),
      ("tcp_user_timeout", "\(Self.unacknowledgedMsMax)"),
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
  }

  deinit { PQfinish(connection) }

  /// Runs a text of one or several statements without parameters.
  func execute(_ sql: String, withinMs: Int = replyMsMax) throws(PostgresError) {
    guard PQsendQuery(connection, sql) == 1 else { throw lost() }
    _ = try reply(withinMs: withinMs)
  }

  /// Runs a prepared statement.
  /// - Parameter columns: one for each of `$1`, `$2`, …
  /// - Returns: its rows, with values in binary.
  func run(
    _ statement: Statement, _ columns: [Column] = []
  ) throws(PostgresError) -> Rows {
    try prepare(statement)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(columns.reduce(0) { $0 + $1.bytes.count })
    for column in columns { bytes.append(contentsOf: column.bytes) }
    let sent = bytes.withUnsafeBytes { buffer in
      var next = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
      var values: [UnsafePointer<CChar>?] = []
      for column in columns {
        values.append(next)
        next = next.map { $0 + column.bytes.count }
      }
      return PQsendQueryPrepared(
        connection, statement.name, Int32(columns.count), values,
        columns.map { Int32($0.bytes.count) }, columns.map { _ in 1 }, 1)
    }
    guard sent == 1 else { throw lost() }
    return try reply()
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

  /// The last result of what was sent; throws the first error among the results.
  private func reply(withinMs: Int = replyMsMax) throws(PostgresError) -> Rows {
    let deadline = ContinuousClock.now + .milliseconds(withinMs)
    while true {
      let unsent = PQflush(connection)
      guard unsent >= 0 else { throw lost() }
      if unsent == 0 { break }
      try wait(for: POLLIN | POLLOUT, until: deadline)
    }
    var rows: Rows?
    var failure: PostgresError?
    while true {
      while PQisBusy(connection) == 1 { try wait(for: POLLIN, until: deadline) }
      guard let result = PQgetResult(connection) else { break }
      let next = Rows(result)
      failure = failure ?? self.failure(of: result)
      rows = next
    }
    if let failure { throw failure }
    guard let rows else { throw lost() }
    return rows
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

  private func failure(of result: OpaquePointer) -> PostgresError? {
    switch PQresultStatus(result) {
    case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: return nil
    default: break
    }
    let sqlState = field(UInt8(ascii: "C"), of: result)
    let message = field(UInt8(ascii: "M"), of: result)
    guard let sqlState, let message else { return lost() }
    return .statement(sqlState: sqlState, message: message)
  }

  /// The codes are PG_DIAG_SQLSTATE and PG_DIAG_MESSAGE_PRIMARY of postgres_ext.h.  The detail would
  /// hold values of rows.
  private func field(_ code: UInt8, of result: OpaquePointer) -> String? {
    PQresultErrorField(result, Int32(code)).map { String(cString: $0) }
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
}

/// The rows of a reply.  Owns libpq's memory.
final class Rows {
  private let result: OpaquePointer

  init(_ result: OpaquePointer) { self.result = result }

  deinit { PQclear(result) }

  var count: Int { Int(PQntuples(result)) }

  func text(_ row: Int, _ column: Int) -> String {
    String(decoding: bytes(row, column), as: UTF8.self)
  }

  func integer<Integer: FixedWidthInteger>(_ row: Int, _ column: Int) -> Integer {
    let bytes = bytes(row, column)
    precondition(bytes.count == MemoryLayout<Integer>.size, "the column has another type")
    return Integer(bigEndian: bytes.loadUnaligned(as: Integer.self))
  }

  private func bytes(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: PQgetvalue(result, Int32(row), Int32(column)),
      count: Int(PQgetlength(result, Int32(row), Int32(column))))
  }
}
