-- The last correction of a SKU, as its version, and how many changes from outside came after it: of
-- both there are as many as the version says, unless an event was lost or a row put in.
SELECT coalesce(max(last), 0), count(*) FILTER (WHERE version > coalesce(last, 0))
FROM (
  SELECT version, max(version) FILTER (WHERE cause = 'STOCK_CORRECTED') OVER () AS last
  FROM stock_movements WHERE sku = ($1::text[])[1] AND hold_id IS NULL
) AS change
