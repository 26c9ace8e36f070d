-- A page of holds, the newest first, among so many along one index; and a last row, which has an id
-- only when there may be more beyond those.
WITH seen AS MATERIALIZED (
  SELECT * FROM holds
  WHERE /* lead */ created_at >= ($4::timestamptz[])[1] AND created_at < ($5::timestamptz[])[1]
    AND (created_at < ($5::timestamptz[])[1] - interval '1 ms' OR hold_id < ($6::text[])[1])
  ORDER BY created_at DESC, hold_id DESC
  LIMIT 10000
)
(
  SELECT hold_id, sku, qty, user_id, status, expires_at, created_at, idempotency_key,
    coalesce(payment_ref, ''), version, stream_ms, stream_seq, changed_at
  FROM seen
  WHERE user_id = coalesce(($1::text[])[1], user_id) AND sku = coalesce(($2::text[])[1], sku)
    AND status = coalesce(($3::text[])[1], status)
  ORDER BY created_at DESC, hold_id DESC
  LIMIT ($7::bigint[])[1]
)
UNION ALL
SELECT
  CASE WHEN count(*) = 10000
  THEN (SELECT hold_id FROM seen ORDER BY created_at, hold_id LIMIT 1) END,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM seen
