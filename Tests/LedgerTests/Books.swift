import Foundation
import Harness
import Inventory

@testable import Ledger

/// A database of its own for one test, in the cluster that all tests share or in a private one.
struct Books {
  let server: PostgresServer
  let url: String

  init(in server: PostgresServer? = nil) throws {
    self.server = try server ?? PostgresServer.shared()
    url = try self.server.createDatabase()
  }

  /// A database that is there already.
  init(at url: String, in server: PostgresServer) { (self.server, self.url) = (server, url) }

  var address: DatabaseAddress { DatabaseAddress(url)! }

  func connect() throws -> Postgres { try Postgres(address, name: "test") }

  /// The books as another role sees them.
  func address(as role: String) -> DatabaseAddress {
    DatabaseAddress(url.replacing("postgres@", with: "\(role)@"))!
  }

  /// The books with their tables made.
  func open() throws -> Ledger {
    let connection = try connect()
    try connection.migrate()
    return Ledger(in: connection)
  }

  @discardableResult
  func psql(_ sql: String) throws -> String { try server.psql(url, sql) }

  /// Runs a file of the repository.
  func psqlFile(_ path: String) throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    try server.psqlFile(url, root.appending(path: path).path)
  }

  func count(_ table: String) throws -> Int { Int(try psql("SELECT count(*) FROM \(table)")) ?? -1 }

  /// Whether a lane of a worker waits for a lock; its audit and its opener may wait beside it.
  func isWaiting() throws -> Bool {
    try psql(
      """
      SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^stockworker [^ ]+$'
        AND application_name <> 'stockworker opener' AND datname = current_database()
        AND wait_event_type = 'Lock'
      """) == "1"
  }

  /// `available|held|sold|supplied` of a SKU, as its movements add up.
  /// - Parameter condition: which of them.
  func figures(of sku: SKU, where condition: String = "true") throws -> String {
    try psql(
      """
      SELECT coalesce(sum(available_delta), 0), coalesce(sum(held_delta), 0),
        coalesce(sum(sold_delta), 0), coalesce(sum(supplied_delta), 0)
      FROM stock_movements WHERE sku = '\(sku)' AND \(condition)
      """)
  }

  /// Every row of every table, but for the stream ids and the times of processing.
  func rows() throws -> ExpectedRows {
    var rows = ExpectedRows()
    rows.holds = try lines(
      "hold_id, line, sku, qty, user_id, status, \(ms("expires_at")), \(ms("created_at")), "
        + "idempotency_key, payment_ref, version, \(ms("changed_at")) FROM holds")
    rows.orders = try lines(
      "order_id, hold_id, user_id, sku, qty, status, payment_ref, \(ms("created_at")) FROM orders")
    rows.movements = try lines(
      "event_id, \(ms("event_time")), sku, cause, hold_id, available_delta, held_delta, "
        + "sold_delta, supplied_delta, available, held, sold, supplied, version, request_id, "
        + "actor, reason FROM stock_movements")
    rows.processed = try lines("event_id, event_type, \(ms("event_time")) FROM processed_events")
    rows.sort()
    return rows
  }

  private func lines(_ columns: String) throws -> [String] {
    try psql("SELECT \(columns)").split(separator: "\n").map(String.init)
  }

  private func ms(_ column: String) -> String { "(extract(epoch FROM \(column)) * 1000)::bigint" }
}

/// Ledger entries of some events, with stream ids in their order.
func entries(_ events: some Sequence<Event>) -> [Ledger.Entry] {
  events.enumerated().map {
    Ledger.Entry(event: $1, streamMs: UInt64($0 + 1), streamSequence: 0)
  }
}
