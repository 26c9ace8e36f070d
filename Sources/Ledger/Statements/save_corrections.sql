-- What a correction adds to the sums.  Only of a SKU does it say which figures it left behind.
INSERT INTO stock_movements (
  event_id, event_time, sku, cause, hold_id, available_delta, held_delta, sold_delta,
  supplied_delta, available, held, sold, supplied, version, actor, reason, found, stream_ms,
  stream_seq)
SELECT
  event_id, event_time, sku, cause,
  CASE cause WHEN 'HOLD_CORRECTED' THEN left(event_id, -length('/' || version)) END,
  available_delta, held_delta, sold_delta, supplied_delta, available, held, sold, supplied,
  version, actor, reason, found, stream_ms, stream_seq
FROM unnest(
  $1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
  $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
  $14::text[], $15::text[], $16::text[], $17::bigint[], $18::bigint[]
) AS correction (
  event_id, cause, event_time, sku, available_delta, held_delta, sold_delta, supplied_delta,
  available, held, sold, supplied, version, actor, reason, found, stream_ms, stream_seq)
ON CONFLICT (event_id, event_time) DO NOTHING
