-- Back to a table of the events that have been applied, by days: the movements tell it.
DROP VIEW processed_events;
CREATE TABLE processed_events (
  event_id     text COLLATE "C" NOT NULL,
  event_type   text        NOT NULL CHECK (event_type <> ''),
  processed_at timestamptz NOT NULL DEFAULT now(),
  event_time   timestamptz NOT NULL,
  stream_ms    bigint      NOT NULL,
  stream_seq   bigint      NOT NULL,
  PRIMARY KEY (event_id, event_time),
  CONSTRAINT processed_events_stream_id CHECK (stream_ms >= 0 AND stream_seq >= 0)
) PARTITION BY RANGE (event_time);

CREATE FUNCTION add_processed_events_day(day date) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  partition_name text := 'processed_events_' || to_char(day, 'YYYYMMDD');
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('stockstream processed_events'), hashtext(partition_name));
  IF EXISTS (
    SELECT FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'processed_events'::regclass AND relname = partition_name
  ) THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE %I (LIKE processed_events INCLUDING ALL)', partition_name);
  EXECUTE format(
    'ALTER TABLE processed_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
    partition_name, day || ' 00:00:00+00', day + 1 || ' 00:00:00+00');
END
$$;

CREATE FUNCTION drop_processed_events_days(before date) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
  partition regclass;
  dropped integer := 0;
BEGIN
  FOR partition IN
    SELECT inhrelid::regclass FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'processed_events'::regclass
      AND relname ~ '^processed_events_\d{8}$'
      AND relname < 'processed_events_' || to_char(before, 'YYYYMMDD')
    ORDER BY relname
  LOOP
    EXECUTE format('DROP TABLE %s', partition);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
EXCEPTION
  WHEN lock_not_available THEN RETURN 0;
END
$$;

SELECT add_processed_events_day(day)
FROM (SELECT DISTINCT (event_time AT TIME ZONE 'UTC')::date AS day FROM stock_movements) AS days;
INSERT INTO processed_events (event_id, event_type, processed_at, event_time, stream_ms, stream_seq)
SELECT event_id, cause, coalesce(processed_at, event_time), event_time, stream_ms, stream_seq
FROM stock_movements;
ALTER TABLE stock_movements DROP COLUMN processed_at;

CREATE OR REPLACE FUNCTION grant_stock_rights_3() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  REVOKE ALL ON FUNCTION add_processed_events_day(date), drop_processed_events_days(date),
    grant_stock_rights(),
    correct_holds(text[], text[], integer[], text[], text[], timestamptz[], uuid[], timestamptz[],
      bigint[], bigint[])
    FROM PUBLIC;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'stock_reader') THEN
    GRANT SELECT ON holds, orders, processed_events, stock_movements, schema_migrations
      TO stock_reader;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'stock_worker') THEN
    GRANT SELECT, INSERT ON holds, orders, processed_events, stock_movements TO stock_worker;
    GRANT UPDATE (
      status, expires_at, payment_ref, version, changed_at, stream_ms, stream_seq
    ) ON holds TO stock_worker;
    GRANT SELECT ON schema_migrations TO stock_worker;
    GRANT EXECUTE ON FUNCTION add_processed_events_day(date), drop_processed_events_days(date),
      correct_holds(text[], text[], integer[], text[], text[], timestamptz[], uuid[], timestamptz[],
        bigint[], bigint[])
      TO stock_worker;
  END IF;
END
$$;
SELECT grant_stock_rights();
