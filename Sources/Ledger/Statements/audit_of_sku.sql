-- Every hold that the books know of a SKU: those with a row, and those with movements alone.
SELECT hold_id FROM holds WHERE sku = ($1::text[])[1]
UNION
SELECT hold_id FROM stock_movements WHERE sku = ($1::text[])[1] AND hold_id IS NOT NULL
