INSERT INTO orders (
  order_id, hold_id, user_id, sku, qty, status, payment_ref, created_at, stream_id)
SELECT order_id::uuid, hold_id, user_id, sku, qty, 'CONFIRMED', payment_ref, created_at, stream_id
FROM unnest(
  $1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::timestamptz[],
  $8::text[]
) AS confirmed (order_id, hold_id, user_id, sku, qty, payment_ref, created_at, stream_id)
ON CONFLICT (order_id, line) DO NOTHING
