-- What each event of a hold does to the figures of its SKU, whatever came before it.
INSERT INTO stock_movements (
  event_id, event_time, sku, cause, hold_id, available_delta, held_delta, sold_delta,
  supplied_delta, version, actor, reason, stream_ms, stream_seq)
SELECT
  event_id, event_time, sku, cause, split_part(event_id, '/', 1),
  CASE cause
    WHEN 'HOLD_CREATED' THEN -qty
    WHEN 'HOLD_CONFIRMED' THEN 0
    WHEN 'HOLD_EXTENDED' THEN 0
    ELSE qty
  END,
  CASE cause WHEN 'HOLD_CREATED' THEN qty WHEN 'HOLD_EXTENDED' THEN 0 ELSE -qty END,
  CASE cause WHEN 'HOLD_CONFIRMED' THEN qty ELSE 0 END,
  0, version, actor, reason, stream_ms, stream_seq
FROM unnest(
  $1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::bigint[], $6::bigint[], $7::text[],
  $8::text[], $9::bigint[], $10::bigint[]
) AS event (
  event_id, cause, event_time, sku, qty, version, actor, reason, stream_ms, stream_seq)
ON CONFLICT (event_id, event_time) DO NOTHING
