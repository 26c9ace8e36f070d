-- The books: what the events say, one row for each hold line, each order line, each event and each
-- change of a SKU's figures.  infra/postgres/README.md explains every column.
--
-- Texts compare as bytes (COLLATE "C"): ids are looked up, never sorted for a person.

-- ACTIVE means that no later event has been applied.  Nobody here looks at the clock.
CREATE TABLE holds (
  hold_id         text COLLATE "C" NOT NULL,
  line            integer     NOT NULL DEFAULT 1 CHECK (line > 0),
  sku             text        NOT NULL CHECK (octet_length(sku) BETWEEN 1 AND 128),
  qty             integer     NOT NULL CHECK (qty BETWEEN 1 AND 1000000),
  user_id         text        NOT NULL CHECK (octet_length(user_id) BETWEEN 1 AND 128),
  status          text        NOT NULL
                  CHECK (status IN ('ACTIVE', 'CONFIRMED', 'CANCELLED', 'EXPIRED')),
  expires_at      timestamptz NOT NULL,
  created_at      timestamptz NOT NULL,
  idempotency_key text        NOT NULL CHECK (octet_length(idempotency_key) BETWEEN 1 AND 128),
  payment_ref     text        CHECK (octet_length(payment_ref) BETWEEN 1 AND 128),
  version         bigint      NOT NULL CHECK (version > 0),
  changed_at      timestamptz NOT NULL,
  stream_id       text        NOT NULL CHECK (stream_id LIKE '%-%'),
  PRIMARY KEY (hold_id, line),
  CONSTRAINT holds_paid_iff_confirmed CHECK ((status = 'CONFIRMED') = (payment_ref IS NOT NULL)),
  CONSTRAINT holds_expire_after_creation CHECK (expires_at > created_at),
  CONSTRAINT holds_change_after_creation CHECK (changed_at >= created_at)
)
-- Most holds change once.  Room in their page keeps that change out of the index.
WITH (fillfactor = 85);

CREATE TABLE orders (
  order_id    uuid        NOT NULL,
  line        integer     NOT NULL DEFAULT 1 CHECK (line > 0),
  hold_id     text COLLATE "C" NOT NULL,
  user_id     text        NOT NULL CHECK (octet_length(user_id) BETWEEN 1 AND 128),
  sku         text        NOT NULL CHECK (octet_length(sku) BETWEEN 1 AND 128),
  qty         integer     NOT NULL CHECK (qty BETWEEN 1 AND 1000000),
  status      text        NOT NULL CHECK (status = 'CONFIRMED'),
  payment_ref text        NOT NULL CHECK (octet_length(payment_ref) BETWEEN 1 AND 128),
  created_at  timestamptz NOT NULL,
  stream_id   text        NOT NULL CHECK (stream_id LIKE '%-%'),
  PRIMARY KEY (order_id, line),
  -- A hold line is sold once; also the index for the order of a hold.
  UNIQUE (hold_id, line),
  FOREIGN KEY (hold_id, line) REFERENCES holds (hold_id, line)
);

-- Which events have been applied.  A day can be dropped when no stream could deliver it again.
CREATE TABLE processed_events (
  event_id     text COLLATE "C" NOT NULL,
  event_type   text        NOT NULL CHECK (event_type <> ''),
  processed_at timestamptz NOT NULL DEFAULT now(),
  event_time   timestamptz NOT NULL,
  stream_id    text        NOT NULL CHECK (stream_id LIKE '%-%'),
  PRIMARY KEY (event_id, event_time)
) PARTITION BY RANGE (event_time);

-- Makes the partition of one day (UTC).  Repeating it, and many at once, is safe.
--
-- CREATE TABLE … PARTITION OF would wait for every reader of the parent, and hold up every worker
-- behind it; ATTACH PARTITION does neither.
CREATE FUNCTION add_processed_events_day(day date) RETURNS void LANGUAGE plpgsql AS $$
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

CREATE TABLE stock_movements (
  event_id   text COLLATE "C" NOT NULL,
  event_time timestamptz NOT NULL,
  sku        text        NOT NULL CHECK (octet_length(sku) BETWEEN 1 AND 128),
  cause      text        NOT NULL CHECK (cause IN ('STOCK_SET', 'STOCK_ADOPTED')),
  delta      bigint      NOT NULL,
  available  bigint      NOT NULL CHECK (available >= 0),
  held       bigint      NOT NULL CHECK (held >= 0),
  sold       bigint      NOT NULL CHECK (sold >= 0),
  supplied   bigint      NOT NULL CHECK (supplied BETWEEN 0 AND 1000000000000),
  version    bigint      NOT NULL CHECK (version > 0),
  request_id text        CHECK (octet_length(request_id) BETWEEN 1 AND 128),
  stream_id  text        NOT NULL CHECK (stream_id LIKE '%-%'),
  PRIMARY KEY (event_id, event_time),
  CONSTRAINT stock_movements_balance CHECK (available + held + sold = supplied),
  CONSTRAINT stock_movements_delta CHECK (delta BETWEEN supplied - 1000000000000 AND supplied),
  CONSTRAINT stock_movements_set_by_request CHECK ((cause = 'STOCK_SET') = (request_id IS NOT NULL))
);

-- The history of one SKU.
CREATE INDEX stock_movements_sku ON stock_movements (sku, event_time);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: correct it with a further event', TG_TABLE_NAME;
END
$$;

CREATE TRIGGER stock_movements_append_only
  BEFORE UPDATE OR DELETE OR TRUNCATE ON stock_movements
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
