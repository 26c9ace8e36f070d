-- A page of holds in the order of their ids: those that are active, and those whose row, order and
-- movements do not agree.  One statement sees one moment, and an event writes all three at once.  The
-- last row says where the page ends, and how many holds it has; no id: there are no more.
WITH page AS MATERIALIZED (
  SELECT * FROM holds WHERE hold_id > ($1::text[])[1] ORDER BY hold_id LIMIT ($2::bigint[])[1]
), bounds AS MATERIALIZED (
  SELECT ($1::text[])[1] AS after,
    CASE WHEN count(*) < ($2::bigint[])[1] THEN 'I' ELSE max(hold_id) END AS last,
    count(*) AS rows
  FROM page
), moved AS MATERIALIZED (
  SELECT hold_id, sum(available_delta) AS available, sum(held_delta) AS held,
    sum(sold_delta) AS sold, min(sku) AS sku, max(sku) AS other_sku
  FROM bounds, stock_movements
  WHERE event_id > after || '0' AND event_id < last || '0' AND hold_id IS NOT NULL
  GROUP BY hold_id
), ordered AS MATERIALIZED (
  SELECT orders.* FROM bounds, orders WHERE hold_id > after AND hold_id <= last
)
SELECT hold_id, page.version, page.status = 'ACTIVE', NOT agrees
FROM page FULL JOIN moved USING (hold_id) LEFT JOIN ordered USING (hold_id), LATERAL (
  SELECT coalesce(
    moved.sku = page.sku AND moved.other_sku = page.sku
    AND (moved.available, moved.held, moved.sold) = (
      CASE WHEN page.status IN ('ACTIVE', 'CONFIRMED') THEN -page.qty ELSE 0 END,
      CASE page.status WHEN 'ACTIVE' THEN page.qty ELSE 0 END,
      CASE page.status WHEN 'CONFIRMED' THEN page.qty ELSE 0 END)
    AND CASE page.status
      WHEN 'CONFIRMED' THEN ordered.status = 'CONFIRMED' AND ordered.sku = page.sku
        AND ordered.qty = page.qty AND ordered.user_id = page.user_id
        AND ordered.payment_ref = page.payment_ref
      ELSE coalesce(ordered.status, 'VOID') = 'VOID'
      END, false) AS agrees
) AS judged
WHERE page.status = 'ACTIVE' OR NOT agrees
UNION ALL
SELECT nullif(last, 'I'), rows, NULL, NULL FROM bounds
