-- All that has happened to one hold, by its versions.
SELECT event_id, cause, sku, coalesce(hold_id, ''), event_time, stream_ms, stream_seq, version,
  available_delta, held_delta, sold_delta, supplied_delta, coalesce(available, 0),
  coalesce(held, 0), coalesce(sold, 0), coalesce(supplied, 0), coalesce(request_id, ''),
  coalesce(actor, ''), coalesce(reason, ''), coalesce(found, '')
FROM stock_movements
WHERE event_id > ($1::text[])[1] || '/' AND event_id < ($1::text[])[1] || '0'
  AND hold_id = ($1::text[])[1]
ORDER BY version, stream_ms, stream_seq
LIMIT ($2::bigint[])[1]
