-- What tells that somebody has written into the tables that the audit compares: how many rows were written
-- since PostgreSQL counts, a session's at the latest ten seconds after it has written them, and which
-- files they are, which TRUNCATE changes.  NULL: PostgreSQL does not count.
SELECT CASE WHEN current_setting('track_counts')::boolean THEN string_agg(
  concat_ws(' ', pg_stat_get_tuples_inserted(oid), pg_stat_get_tuples_updated(oid),
    pg_stat_get_tuples_deleted(oid), pg_relation_filenode(oid)), ',' ORDER BY oid) END
FROM pg_class
WHERE oid IN ('holds'::regclass, 'orders'::regclass, 'stock_movements'::regclass)
