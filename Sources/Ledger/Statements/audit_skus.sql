-- The SKUs that the books know after one, in order: a step through the index for each, however many
-- movements it has.
WITH RECURSIVE known AS (
  (SELECT sku FROM stock_movements WHERE sku > ($1::text[])[1] ORDER BY sku LIMIT 1)
  UNION ALL
  SELECT (SELECT sku FROM stock_movements AS next WHERE next.sku > known.sku ORDER BY sku LIMIT 1)
  FROM known WHERE known.sku IS NOT NULL
)
SELECT sku FROM known WHERE sku IS NOT NULL LIMIT ($2::bigint[])[1]
