-- A page of what has moved a SKU, the newest first.  Many movements may have come with one entry.
SELECT event_id, cause, sku, coalesce(hold_id, ''), event_time, stream_ms, stream_seq, version,
  available_delta, held_delta, sold_delta, supplied_delta, coalesce(available, 0),
  coalesce(held, 0), coalesce(sold, 0), coalesce(supplied, 0), coalesce(request_id, ''),
  coalesce(actor, ''), coalesce(reason, ''), coalesce(found, '')
FROM stock_movements
WHERE sku = ($1::text[])[1] /* which */
  AND (stream_ms, stream_seq) <= (($2::bigint[])[1], ($3::bigint[])[1])
  AND (
    (stream_ms, stream_seq) < (($2::bigint[])[1], ($3::bigint[])[1])
    OR event_id < ($4::text[])[1]
  )
ORDER BY stream_ms DESC, stream_seq DESC, event_id DESC
LIMIT ($5::bigint[])[1]
