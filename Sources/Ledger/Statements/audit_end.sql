-- The last hold of a page that begins after one; no row: fewer are left than a page has.
SELECT hold_id FROM holds WHERE hold_id > ($1::text[])[1] ORDER BY hold_id
OFFSET ($2::bigint[])[1] - 1 LIMIT 1
