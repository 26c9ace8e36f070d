-- Every change of a SKU's figures, by whatever event, as a row of stock_movements; stream ids that
-- sort; rights for three roles.  infra/postgres/README.md explains every column.

-- A stream id is two numbers: compare (stream_ms, stream_seq) as a row.
--
-- A generated column that stops being one fills its rows in one rewrite, without a dead row each.
CREATE FUNCTION split_stream_id(relation regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format(
    'ALTER TABLE %s DROP CONSTRAINT %I, ADD COLUMN stream_seq bigint NOT NULL '
    'GENERATED ALWAYS AS (split_part(stream_id, ''-'', 2)::bigint) STORED',
    relation, relation || '_stream_id_check');
  EXECUTE format('ALTER TABLE %s ALTER COLUMN stream_seq DROP EXPRESSION', relation);
  EXECUTE format(
    'ALTER TABLE %s ALTER COLUMN stream_id TYPE bigint USING split_part(stream_id, ''-'', 1)::bigint',
    relation);
  EXECUTE format('ALTER TABLE %s RENAME COLUMN stream_id TO stream_ms', relation);
  EXECUTE format(
    'ALTER TABLE %s ADD CONSTRAINT %I CHECK (stream_ms >= 0 AND stream_seq >= 0)',
    relation, relation || '_stream_id');
END
$$;

SELECT split_stream_id('holds'), split_stream_id('orders'), split_stream_id('processed_events'),
  split_stream_id('stock_movements');
DROP FUNCTION split_stream_id(regclass);

ALTER TABLE holds
  ADD CONSTRAINT holds_id CHECK (hold_id LIKE 'H-%-%'),
  ADD CONSTRAINT holds_end_by_event CHECK (status = 'ACTIVE' OR version > 1);

-- The deltas of all movements of a SKU up to a stream id add up to its figures there.
ALTER TABLE stock_movements
  DROP CONSTRAINT stock_movements_cause_check,
  DROP CONSTRAINT stock_movements_balance,
  DROP CONSTRAINT stock_movements_delta,
  DROP CONSTRAINT stock_movements_set_by_request,
  ADD COLUMN hold_id text COLLATE "C",
  ADD COLUMN available_delta bigint NOT NULL GENERATED ALWAYS AS (delta) STORED,
  ADD COLUMN held_delta bigint NOT NULL DEFAULT 0,
  ADD COLUMN sold_delta bigint NOT NULL DEFAULT 0,
  ALTER COLUMN sku TYPE text COLLATE "C",
  ALTER COLUMN available DROP NOT NULL,
  ALTER COLUMN held DROP NOT NULL,
  ALTER COLUMN sold DROP NOT NULL,
  ALTER COLUMN supplied DROP NOT NULL;
ALTER TABLE stock_movements RENAME COLUMN delta TO supplied_delta;
ALTER TABLE stock_movements
  ALTER COLUMN available_delta DROP EXPRESSION,
  ALTER COLUMN held_delta DROP DEFAULT,
  ALTER COLUMN sold_delta DROP DEFAULT,
  ADD CONSTRAINT stock_movements_event CHECK (event_id = coalesce(hold_id, sku) || '/' || version),
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
    WHEN 'STOCK_SET' THEN
      available_delta = supplied_delta AND held_delta = 0 AND sold_delta = 0
    WHEN 'STOCK_ADOPTED' THEN
      available_delta = supplied_delta AND held_delta = 0 AND sold_delta = 0
    ELSE false
    END),
  -- A hold's movement names its hold; a change from outside says which figures it left behind.
  ADD CONSTRAINT stock_movements_origin CHECK (
    CASE WHEN hold_id IS NOT NULL
    THEN cause LIKE 'HOLD\_%'
      AND num_nonnulls(available, held, sold, supplied, request_id) = 0
    ELSE cause LIKE 'STOCK\_%'
      AND num_nulls(available, held, sold, supplied) = 0
      AND available + held + sold = supplied
      AND supplied_delta BETWEEN supplied - 1000000000000 AND supplied
      AND (cause = 'STOCK_SET') = (request_id IS NOT NULL)
    END);

-- The figures of a SKU at a stream id, and its history:
--   SELECT sum(available_delta), … FROM stock_movements
--   WHERE sku = … AND (stream_ms, stream_seq) <= (…, …)
DROP INDEX stock_movements_sku;
CREATE INDEX stock_movements_sku ON stock_movements (sku, stream_ms, stream_seq);

-- What has moved since a stream id, for all SKUs at once: rows lie about in the stream's order.
--   SELECT sku, sum(available_delta), … FROM stock_movements WHERE stream_ms >= … GROUP BY sku
CREATE INDEX stock_movements_stream ON stock_movements
  USING brin (stream_ms) WITH (pages_per_range = 32, autosummarize = on);

-- The movements of what has been applied before: a hold was created, and may have ended since.
INSERT INTO stock_movements (
  event_id, event_time, sku, cause, hold_id, available_delta, held_delta, sold_delta,
  supplied_delta, version, stream_ms, stream_seq)
SELECT
  hold_id || '/1', created_at, sku, 'HOLD_CREATED', hold_id, -qty, qty, 0, 0, 1,
  coalesce(event.stream_ms, holds.stream_ms), coalesce(event.stream_seq, holds.stream_seq)
FROM holds
LEFT JOIN processed_events AS event ON event_id = hold_id || '/1' AND event_time = created_at
UNION ALL
SELECT
  hold_id || '/' || version, changed_at, sku, 'HOLD_' || status, hold_id,
  CASE status WHEN 'CONFIRMED' THEN 0 ELSE qty END, -qty,
  CASE status WHEN 'CONFIRMED' THEN qty ELSE 0 END, 0, version, stream_ms, stream_seq
FROM holds
WHERE status <> 'ACTIVE';

-- Makes and drops days with the rights of the tables' owner, so that a worker needs none.
ALTER FUNCTION add_processed_events_day(date) SECURITY DEFINER SET search_path = public, pg_temp;

-- Drops the days (UTC) before one, and says how many.  A day that somebody reads stays for now.
CREATE FUNCTION drop_processed_events_days(before date) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
  partition regclass;
  dropped integer := 0;
BEGIN
  FOR partition IN
    SELECT inhrelid::regclass FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'processed_events'::regclass
      AND relname ~ '^processed_events_\d{8}$'
      AND relname < 'processed_events_' || to_char(before, 'YYYYMMDD')
    ORDER BY relname
  LOOP
    EXECUTE format('DROP TABLE %s', partition);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
EXCEPTION
  WHEN lock_not_available THEN RETURN 0;
END
$$;

-- Gives the roles of infra/postgres/roles.sql their rights, as far as there are such roles.  Every
-- migration that makes a table adds it here.
CREATE FUNCTION grant_stock_rights() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  REVOKE ALL ON FUNCTION add_processed_events_day(date), drop_processed_events_days(date),
    grant_stock_rights() FROM PUBLIC;
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
    GRANT EXECUTE ON FUNCTION add_processed_events_day(date), drop_processed_events_days(date)
      TO stock_worker;
  END IF;
END
$$;
SELECT grant_stock_rights();
