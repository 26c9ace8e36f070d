import Audit
import HotPath
import Testing

/// Something that a hand can do to one of the stores, and what the audit must call it.
struct Drift: Sendable, CustomTestStringConvertible {
  let name: String
  /// Whether the hold was confirmed before.
  var sold = false
  let kinds: [Difference.Kind]
  /// What it does to a SKU of ten units, two of which are in one hold.
  let make: @Sendable (_ market: Market, _ sku: String, _ hold: String) throws -> Void

  var testDescription: String { name }

  private static func books(
    _ name: String, sold: Bool = false, _ kinds: [Difference.Kind],
    _ sql: @escaping @Sendable (_ sku: String, _ hold: String) -> String
  ) -> Drift {
    Drift(name: name, sold: sold, kinds: kinds) { market, sku, hold in
      try market.psql(sql(sku, hold))
    }
  }

  /// Those that compensating entries end.
  static let repairable: [Drift] = [
    Drift(name: "counter", kinds: [.counterDrift, .stockShown, .stockUnbalanced]) {
      market, sku, _ in
      try market.redis.cli("HINCRBY", "sku:\(sku)", "available", "5")
    },
    Drift(name: "held counter", kinds: [.counterDrift, .stockUnbalanced]) { market, sku, _ in
      try market.redis.cli("HINCRBY", "sku:\(sku)", "held", "-1")
    },
    Drift(name: "counters that balance", kinds: [.counterDrift]) { market, sku, _ in
      try market.redis.cli("HINCRBY", "sku:\(sku)", "available", "5")
      try market.redis.cli("HINCRBY", "sku:\(sku)", "supplied", "5")
      try market.redis.cli("SET", "stock:\(sku)", "13")
    },
    Drift(name: "a sale that no hold knows", kinds: [.counterDrift]) { market, sku, _ in
      try market.redis.cli("HINCRBY", "sku:\(sku)", "available", "-3")
      try market.redis.cli("HINCRBY", "sku:\(sku)", "sold", "3")
      try market.redis.cli("SET", "stock:\(sku)", "5")
    },
    books("hold state", [.holdState]) { _, hold in
      "UPDATE holds SET status = 'CANCELLED', version = 2 WHERE hold_id = '\(hold)'"
    },
    books("hold confirmed by hand", [.holdState]) { _, hold in
      """
      UPDATE holds SET status = 'CONFIRMED', version = 7, payment_ref = 'forged'
      WHERE hold_id = '\(hold)'
      """
    },
    books("hold sold, and set back", sold: true, [.holdState]) { _, hold in
      """
      UPDATE holds SET status = 'ACTIVE', version = 1, payment_ref = NULL
      WHERE hold_id = '\(hold)'
      """
    },
    books("units of a hold", [.holdState]) { _, hold in
      "UPDATE holds SET qty = 3 WHERE hold_id = '\(hold)'"
    },
    books("deadline of a hold", [.holdState]) { _, hold in
      "UPDATE holds SET expires_at = expires_at + interval '1 h' WHERE hold_id = '\(hold)'"
    },
    books("missing row", [.holdMissing]) { _, hold in
      "DELETE FROM holds WHERE hold_id = '\(hold)'"
    },
    books("missing row of a sold hold", sold: true, [.holdMissing]) { _, hold in
      "DELETE FROM orders WHERE hold_id = '\(hold)'; DELETE FROM holds WHERE hold_id = '\(hold)'"
    },
    books("extra row", [.holdExtra]) { _, hold in
      """
      INSERT INTO holds
      SELECT replace(hold_id, '-00', '-0Z'), line, sku, qty, user_id, status, expires_at,
        created_at, idempotency_key, payment_ref, version, changed_at, stream_ms, stream_seq
      FROM holds WHERE hold_id = '\(hold)'
      """
    },
    Drift(name: "record lost", kinds: [.holdExtra]) { market, _, hold in
      try market.redis.cli("DEL", "hold:\(hold.prefix(30))")
    },
    books("missing order", sold: true, [.orderMissing]) { _, hold in
      "DELETE FROM orders WHERE hold_id = '\(hold)'"
    },
    books("extra order", [.orderExtra]) { _, hold in
      """
      INSERT INTO orders
      SELECT gen_random_uuid(), line, hold_id, user_id, sku, qty, 'CONFIRMED', 'forged', created_at,
        stream_ms, stream_seq
      FROM holds WHERE hold_id = '\(hold)'
      """
    },
    books("order with other units", sold: true, [.orderState]) { _, hold in
      "UPDATE orders SET qty = 20 WHERE hold_id = '\(hold)'"
    },
    books("missing movement", [.counterDrift, .movementMissing]) { _, hold in
      unlocked("DELETE FROM stock_movements WHERE hold_id = '\(hold)'")
    },
    books("movement of a hold that never was", [.counterDrift, .movementExtra]) { _, hold in
      """
      INSERT INTO stock_movements (event_id, event_time, sku, cause, hold_id, available_delta,
        held_delta, sold_delta, supplied_delta, version, stream_ms, stream_seq)
      SELECT replace(event_id, '-00', '-0Z'), event_time, sku, cause, replace(hold_id, '-00', '-0Z'),
        available_delta, held_delta, sold_delta, supplied_delta, version, stream_ms, stream_seq
      FROM stock_movements WHERE hold_id = '\(hold)'
      """
    },
    books("stock that nobody supplied", [.counterDrift]) { sku, _ in
      """
      INSERT INTO stock_movements (event_id, event_time, sku, cause, available_delta, held_delta,
        sold_delta, supplied_delta, available, held, sold, supplied, version, stream_ms, stream_seq)
      SELECT sku || '/9', event_time, sku, 'STOCK_ADOPTED', 10, 0, 0, 10, 20, 0, 0, 20, 9, stream_ms,
        stream_seq
      FROM stock_movements WHERE sku = '\(sku)' AND hold_id IS NULL
      """
    },
    books("lost change of stock", [.counterDrift]) { sku, _ in
      unlocked("DELETE FROM stock_movements WHERE sku = '\(sku)' AND hold_id IS NULL")
    },
  ]

  /// Those that only a person can end.
  static let forPersons: [Drift] = [
    Drift(name: "figure by hand", kinds: [.stockShown]) { market, sku, _ in
      try market.redis.cli("SET", "stock:\(sku)", "3")
    },
    Drift(name: "unreadable record", kinds: [.holdUnreadable]) { market, _, hold in
      try market.redis.cli("SETRANGE", "hold:\(hold.prefix(30))", "0", "x")
    },
    books("movement that does not balance", [.booksUnbalanced, .counterDrift]) { sku, _ in
      """
      ALTER TABLE stock_movements DROP CONSTRAINT stock_movements_effect;
      INSERT INTO stock_movements (event_id, event_time, sku, cause, available_delta, held_delta,
        sold_delta, supplied_delta, available, held, sold, supplied, version, stream_ms, stream_seq)
      SELECT sku || '/9', event_time, sku, 'STOCK_ADOPTED', 10, 1, 0, 10, 20, 0, 0, 20, 9, stream_ms,
        stream_seq
      FROM stock_movements WHERE sku = '\(sku)' AND hold_id IS NULL
      """
    },
  ]

  /// What only the owner of the tables can do.
  private static func unlocked(_ sql: String) -> String {
    """
    ALTER TABLE stock_movements DISABLE TRIGGER stock_movements_append_only;
    \(sql);
    ALTER TABLE stock_movements ENABLE TRIGGER stock_movements_append_only
    """
  }
}
