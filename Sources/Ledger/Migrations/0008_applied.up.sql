-- An event has been applied when its movement is there.  A second table that said the same cost every
-- event a row and an entry in an index, a sixth of PostgreSQL's time; now it is a view.
--
-- UNION ALL: what a worker of before this migration inserts is refused as the state of the books (55000),
-- and never as the fault of an event.
DROP TABLE processed_events;
DROP FUNCTION add_processed_events_day(date), drop_processed_events_days(date);

-- Of rows that were there before it is not known.
ALTER TABLE stock_movements ADD COLUMN processed_at timestamptz;
ALTER TABLE stock_movements ALTER COLUMN processed_at SET DEFAULT now();
CREATE VIEW processed_events AS
SELECT event_id, cause AS event_type, processed_at, event_time, stream_ms, stream_seq
FROM stock_movements
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL WHERE false;

-- What the roles could do at the third migration, without the days.
CREATE OR REPLACE FUNCTION grant_stock_rights_3() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  REVOKE ALL ON FUNCTION grant_stock_rights(),
    correct_holds(text[], text[], integer[], text[], text[], timestamptz[], uuid[], timestamptz[],
      bigint[], bigint[])
    FROM PUBLIC;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'stock_reader') THEN
    GRANT SELECT ON holds, orders, processed_events, stock_movements, schema_migrations
      TO stock_reader;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'stock_worker') THEN
    GRANT SELECT, INSERT ON holds, orders, stock_movements TO stock_worker;
    GRANT UPDATE (
      status, expires_at, payment_ref, version, changed_at, stream_ms, stream_seq
    ) ON holds TO stock_worker;
    GRANT SELECT ON processed_events, schema_migrations TO stock_worker;
    GRANT EXECUTE ON FUNCTION
      correct_holds(text[], text[], integer[], text[], text[], timestamptz[], uuid[], timestamptz[],
        bigint[], bigint[])
      TO stock_worker;
  END IF;
END
$$;
SELECT grant_stock_rights();
