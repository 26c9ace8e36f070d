INSERT INTO orders (
  order_id, hold_id, user_id, sku, qty, status, payment_ref, created_at, stream_ms, stream_seq)
SELECT
  order_id, hold_id, user_id, sku, qty, 'CONFIRMED', payment_ref, created_at, stream_ms, stream_seq
FROM unnest(
  $1::uuid[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::timestamptz[],
  $8::bigint[], $9::bigint[]
) AS confirmed (
  order_id, hold_id, user_id, sku, qty, payment_ref, created_at, stream_ms, stream_seq)
ON CONFLICT DO NOTHING
