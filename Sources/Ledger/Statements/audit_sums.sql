-- What the movements of some SKUs add up to after one stream id, up to another: at most so many rows
-- of each, but never a part of a millisecond.
SELECT
  place, coalesce(sum(available_delta), 0)::bigint, coalesce(sum(held_delta), 0)::bigint,
  coalesce(sum(sold_delta), 0)::bigint, coalesce(sum(supplied_delta), 0)::bigint, count(row),
  coalesce(max(stream_ms), 0)
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) WITH ORDINALITY
  AS asked (sku, after_ms, after_seq, to_ms, to_seq, place)
LEFT JOIN LATERAL (
  SELECT 1 AS row, available_delta, held_delta, sold_delta, supplied_delta, stream_ms
  FROM stock_movements AS movement
  WHERE movement.sku = asked.sku
    AND (stream_ms, stream_seq) > (after_ms, after_seq)
    AND (stream_ms, stream_seq) <= (to_ms, to_seq)
  ORDER BY stream_ms
  FETCH FIRST 100000 ROWS WITH TIES
) AS moved ON true
GROUP BY place
ORDER BY place
