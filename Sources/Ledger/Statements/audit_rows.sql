-- The rows of some holds.
SELECT hold_id, sku, qty, user_id, status, expires_at, created_at, idempotency_key,
  coalesce(payment_ref, ''), version, stream_ms, stream_seq
FROM holds WHERE hold_id = ANY ($1::text[]) AND line = 1
