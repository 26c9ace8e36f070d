-- A change from outside moves what is available, and says which figures it left behind.
INSERT INTO stock_movements (
  event_id, event_time, sku, cause, available_delta, held_delta, sold_delta, supplied_delta,
  available, held, sold, supplied, version, request_id, actor, reason, stream_ms, stream_seq)
SELECT
  event_id, event_time, sku, cause, delta, 0, 0, delta, available, held, sold, supplied, version,
  request_id, actor, reason, stream_ms, stream_seq
FROM unnest(
  $1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
  $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::bigint[],
  $15::bigint[]
) AS change (
  event_id, cause, event_time, sku, delta, available, held, sold, supplied, version, request_id,
  actor, reason, stream_ms, stream_seq)
ON CONFLICT (event_id, event_time) DO NOTHING
