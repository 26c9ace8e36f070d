SELECT hold_id, sku, qty, user_id, status, expires_at, created_at, idempotency_key,
  coalesce(payment_ref, ''), version, stream_ms, stream_seq, changed_at
FROM holds WHERE hold_id = ($1::text[])[1] AND line = 1
