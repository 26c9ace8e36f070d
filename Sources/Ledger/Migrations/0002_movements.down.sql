-- Back to the movements from outside the sale.  Those of holds go: holds and processed_events can
-- tell them again.
DROP FUNCTION grant_stock_rights();
DROP FUNCTION drop_processed_events_days(date);
ALTER FUNCTION add_processed_events_day(date) SECURITY INVOKER RESET search_path;
GRANT EXECUTE ON FUNCTION add_processed_events_day(date) TO PUBLIC;

ALTER TABLE stock_movements DISABLE TRIGGER stock_movements_append_only;
DELETE FROM stock_movements WHERE hold_id IS NOT NULL;
ALTER TABLE stock_movements ENABLE TRIGGER stock_movements_append_only;

DROP INDEX stock_movements_sku, stock_movements_stream;
ALTER TABLE stock_movements
  DROP CONSTRAINT stock_movements_event,
  DROP CONSTRAINT stock_movements_effect,
  DROP CONSTRAINT stock_movements_origin,
  DROP COLUMN hold_id,
  DROP COLUMN available_delta,
  DROP COLUMN held_delta,
  DROP COLUMN sold_delta,
  ALTER COLUMN sku TYPE text COLLATE "default",
  ALTER COLUMN available SET NOT NULL,
  ALTER COLUMN held SET NOT NULL,
  ALTER COLUMN sold SET NOT NULL,
  ALTER COLUMN supplied SET NOT NULL;
ALTER TABLE stock_movements RENAME COLUMN supplied_delta TO delta;
ALTER TABLE stock_movements
  ADD CONSTRAINT stock_movements_cause_check CHECK (cause IN ('STOCK_SET', 'STOCK_ADOPTED')),
  ADD CONSTRAINT stock_movements_balance CHECK (available + held + sold = supplied),
  ADD CONSTRAINT stock_movements_delta CHECK (delta BETWEEN supplied - 1000000000000 AND supplied),
  ADD CONSTRAINT stock_movements_set_by_request CHECK (
    (cause = 'STOCK_SET') = (request_id IS NOT NULL));
CREATE INDEX stock_movements_sku ON stock_movements (sku, event_time);

ALTER TABLE holds DROP CONSTRAINT holds_id, DROP CONSTRAINT holds_end_by_event;

CREATE FUNCTION join_stream_id(relation regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format(
    'ALTER TABLE %s DROP CONSTRAINT %I, '
    'ALTER COLUMN stream_ms TYPE text USING stream_ms || ''-'' || stream_seq',
    relation, relation || '_stream_id');
  EXECUTE format('ALTER TABLE %s DROP COLUMN stream_seq', relation);
  EXECUTE format('ALTER TABLE %s RENAME COLUMN stream_ms TO stream_id', relation);
  EXECUTE format(
    'ALTER TABLE %s ADD CONSTRAINT %I CHECK (stream_id LIKE ''%%-%%'')',
    relation, relation || '_stream_id_check');
END
$$;
SELECT join_stream_id('holds'), join_stream_id('orders'), join_stream_id('processed_events'),
  join_stream_id('stock_movements');
DROP FUNCTION join_stream_id(regclass);
