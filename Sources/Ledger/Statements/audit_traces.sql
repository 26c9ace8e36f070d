-- All that the books have of some holds, in one moment: rows, orders and movements.
SELECT asked.hold_id, holds.sku, holds.qty, holds.user_id, holds.status, holds.expires_at,
  holds.created_at, holds.idempotency_key, coalesce(holds.payment_ref, ''), holds.version,
  holds.stream_ms, holds.stream_seq,
  orders.status, orders.sku, orders.qty, orders.user_id, orders.payment_ref, moved.*
FROM unnest($1::text[]) AS asked (hold_id)
LEFT JOIN holds ON holds.hold_id = asked.hold_id AND holds.line = 1
LEFT JOIN orders ON orders.hold_id = asked.hold_id AND orders.line = 1
CROSS JOIN LATERAL (
  SELECT count(*), coalesce(min(sku), ''), coalesce(max(sku), ''), coalesce(max(version), 0),
    coalesce(sum(available_delta), 0)::bigint, coalesce(sum(held_delta), 0)::bigint,
    coalesce(sum(sold_delta), 0)::bigint,
    coalesce(max(greatest(abs(available_delta), abs(held_delta), abs(sold_delta)))
      FILTER (WHERE cause <> 'HOLD_CORRECTED'), 0)
  FROM stock_movements
  WHERE event_id > asked.hold_id || '/' AND event_id < asked.hold_id || '0'
    AND stock_movements.hold_id = asked.hold_id
) AS moved
