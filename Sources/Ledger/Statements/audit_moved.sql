-- The holds whose last movement came with an entry after one millisecond of the stream, up to another.
-- Movements lie about in the stream's order, and their index by ranges of blocks serves a short time.  In
-- two steps, each along its index: together they would be looked for in all of the table.
WITH moved AS MATERIALIZED (
  SELECT hold_id, version FROM stock_movements
  WHERE stream_ms > ($1::bigint[])[1] AND stream_ms <= ($2::bigint[])[1] AND hold_id IS NOT NULL
)
SELECT DISTINCT hold_id
FROM moved
WHERE version = (
  SELECT max(version) FROM stock_movements AS every
  WHERE every.event_id > moved.hold_id || '/' AND every.event_id < moved.hold_id || '0'
)
