-- The holds after one id, up to another, in no order: those that are active, and those whose row, order
-- and movements do not agree; and a last row without an id, which says how many holds there are.  One
-- statement sees one moment, and an event writes all three at once.  The planner must know both bounds
-- (`BookView`): without them it expects the product of all tables.
WITH page AS MATERIALIZED (
  SELECT * FROM holds WHERE hold_id > ($1::text[])[1] AND hold_id <= ($2::text[])[1]
), moved AS MATERIALIZED (
  SELECT hold_id, sum(available_delta) AS available, sum(held_delta) AS held,
    sum(sold_delta) AS sold, min(sku) AS sku, max(sku) AS other_sku
  FROM stock_movements
  WHERE event_id > ($1::text[])[1] || '0' AND event_id < ($2::text[])[1] || '0'
    AND hold_id IS NOT NULL
  GROUP BY hold_id
), ordered AS MATERIALIZED (
  SELECT * FROM orders WHERE hold_id > ($1::text[])[1] AND hold_id <= ($2::text[])[1]
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
SELECT NULL, (SELECT count(*) FROM page), NULL, NULL
