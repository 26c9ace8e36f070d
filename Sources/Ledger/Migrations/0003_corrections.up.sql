-- Compensating entries: what an audit has found to differ, and what the books do about it.
-- infra/postgres/README.md explains every column.
ALTER TABLE stock_movements
  ADD COLUMN actor  text CHECK (octet_length(actor) BETWEEN 1 AND 128),
  ADD COLUMN reason text CHECK (octet_length(reason) BETWEEN 1 AND 128),
  ADD COLUMN found  text CHECK (octet_length(found) <= 512),
  ADD CONSTRAINT stock_movements_hold CHECK (hold_id LIKE 'H-%-%'),
  DROP CONSTRAINT stock_movements_effect,
  -- What a correction adds is known only to who has compared; it keeps the equation all the same.
  ADD CONSTRAINT stock_movements_effect CHECK (
    CASE cause
    WHEN 'HOLD_CREATED' THEN
      held_delta BETWEEN 1 AND 1000000 AND available_delta = -held_delta
      AND sold_delta = 0 AND supplied_delta = 0
    WHEN 'HOLD_CONFIRMED' THEN
      sold_delta BETWEEN 1 AND 1000000 AND held_delta = -sold_delta
      AND available_delta = 0 AND supplied_delta = 0
    WHEN 'HOLD_CANCELLED' THEN
      available_delta BETWEEN 1 AND 1000000 AND held_delta = -available_delta
      AND sold_delta = 0 AND supplied_delta = 0
    WHEN 'HOLD_EXPIRED' THEN
      available_delta BETWEEN 1 AND 1000000 AND held_delta = -available_delta
      AND sold_delta = 0 AND supplied_delta = 0
    WHEN 'HOLD_CORRECTED' THEN
      available_delta + held_delta + sold_delta = 0 AND supplied_delta = 0
    WHEN 'STOCK_SET' THEN
      available_delta = supplied_delta AND held_delta = 0 AND sold_delta = 0
    WHEN 'STOCK_ADOPTED' THEN
      available_delta = supplied_delta AND held_delta = 0 AND sold_delta = 0
    WHEN 'STOCK_CORRECTED' THEN
      available_delta + held_delta + sold_delta = supplied_delta
    ELSE false
    END),
  ADD CONSTRAINT stock_movements_correction CHECK (
    CASE WHEN cause IN ('HOLD_CORRECTED', 'STOCK_CORRECTED')
    THEN num_nulls(actor, reason, found) = 0
    ELSE num_nonnulls(actor, reason, found) = 0
    END);

-- An order that no confirmed hold stands behind is not deleted: it is void.
ALTER TABLE orders
  DROP CONSTRAINT orders_status_check,
  ADD CONSTRAINT orders_status CHECK (status IN ('CONFIRMED', 'VOID'));

-- What a HOLD_CORRECTED event says beside the state that every event sets: what never changes in a
-- hold's life, and whether there is an order.  The rows of the holds have been written before, by the
-- same transaction.  With the rights of the tables' owner, so that nothing else can change these.
CREATE FUNCTION correct_holds(
  hold_ids text[], skus text[], quantities integer[], users text[], keys text[],
  creations timestamptz[], order_ids uuid[], event_times timestamptz[], entry_ms bigint[],
  entry_seqs bigint[]
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE holds SET sku = said.sku, qty = said.qty, user_id = said.user_id,
    idempotency_key = said.idempotency_key, created_at = said.created_at
  FROM (
    SELECT DISTINCT ON (event.hold_id) event.*
    FROM unnest(hold_ids, skus, quantities, users, keys, creations) WITH ORDINALITY
      AS event (hold_id, sku, qty, user_id, idempotency_key, created_at, place)
    ORDER BY event.hold_id, event.place DESC
  ) AS said
  WHERE holds.hold_id = said.hold_id AND holds.line = 1;

  UPDATE orders SET status = 'VOID'
  FROM holds WHERE orders.hold_id = ANY (hold_ids) AND holds.hold_id = orders.hold_id
    AND holds.line = orders.line AND holds.status <> 'CONFIRMED' AND orders.status <> 'VOID';

  INSERT INTO orders (
    order_id, hold_id, user_id, sku, qty, status, payment_ref, created_at, stream_ms, stream_seq)
  SELECT said.order_id, holds.hold_id, holds.user_id, holds.sku, holds.qty, 'CONFIRMED',
    holds.payment_ref,
    coalesce(
      (SELECT min(sale.event_time) FROM stock_movements AS sale
       WHERE sale.event_id > holds.hold_id || '/' AND sale.event_id < holds.hold_id || '0'
         AND sale.cause = 'HOLD_CONFIRMED'),
      said.event_time),
    said.at_ms, said.at_seq
  FROM (
    SELECT DISTINCT ON (event.hold_id) event.*
    FROM unnest(hold_ids, order_ids, event_times, entry_ms, entry_seqs) WITH ORDINALITY
      AS event (hold_id, order_id, event_time, at_ms, at_seq, place)
    ORDER BY event.hold_id, event.place DESC
  ) AS said
  JOIN holds ON holds.hold_id = said.hold_id
  WHERE holds.status = 'CONFIRMED'
  ON CONFLICT (hold_id, line) DO UPDATE SET
    order_id = excluded.order_id, user_id = excluded.user_id, sku = excluded.sku,
    qty = excluded.qty, status = 'CONFIRMED', payment_ref = excluded.payment_ref,
    stream_ms = excluded.stream_ms, stream_seq = excluded.stream_seq;
END
$$;

CREATE OR REPLACE FUNCTION grant_stock_rights() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  REVOKE ALL ON FUNCTION add_processed_events_day(date), drop_processed_events_days(date),
    grant_stock_rights(),
    correct_holds(text[], text[], integer[], text[], text[], timestamptz[], uuid[], timestamptz[],
      bigint[], bigint[])
    FROM PUBLIC;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'stock_reader') THEN
    GRANT SELECT ON holds, orders, processed_events, stock_movements, schema_migrations
      TO stock_reader;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'stock_worker') THEN
    GRANT SELECT, INSERT ON holds, orders, processed_events, stock_movements TO stock_worker;
    GRANT UPDATE (
      status, expires_at, payment_ref, version, changed_at, stream_ms, stream_seq
    ) ON holds TO stock_worker;
    GRANT SELECT ON schema_migrations TO stock_worker;
    GRANT EXECUTE ON FUNCTION add_processed_events_day(date), drop_processed_events_days(date),
      correct_holds(text[], text[], integer[], text[], text[], timestamptz[], uuid[], timestamptz[],
        bigint[], bigint[])
      TO stock_worker;
  END IF;
END
$$;
SELECT grant_stock_rights();
