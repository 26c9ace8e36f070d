-- The state after each event; an older one never overwrites a newer one.
INSERT INTO holds (
  hold_id, sku, qty, user_id, status, expires_at, created_at, idempotency_key, payment_ref,
  version, changed_at, stream_ms, stream_seq)
SELECT * FROM unnest(
  $1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::timestamptz[],
  $7::timestamptz[], $8::text[], $9::text[], $10::bigint[], $11::timestamptz[], $12::bigint[],
  $13::bigint[])
ON CONFLICT (hold_id, line) DO UPDATE SET
  status = excluded.status,
  expires_at = excluded.expires_at,
  payment_ref = excluded.payment_ref,
  version = excluded.version,
  changed_at = excluded.changed_at,
  stream_ms = excluded.stream_ms,
  stream_seq = excluded.stream_seq
WHERE excluded.version > holds.version
