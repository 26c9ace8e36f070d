INSERT INTO stock_movements (
  event_id, event_time, sku, cause, delta, available, held, sold, supplied, version, request_id,
  stream_id)
SELECT * FROM unnest(
  $1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
  $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::text[])
ON CONFLICT (event_id, event_time) DO NOTHING
