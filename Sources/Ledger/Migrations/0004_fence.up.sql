-- Which deployment these books are of, and which life of it: a Redis that says otherwise has lost its
-- memory, or is another, and must not sell.  infra/postgres/README.md explains every column.
CREATE TABLE fence (
  id             integer     PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  deployment     text        NOT NULL CHECK (deployment ~ '^[0-9a-f]{16}$'),
  epoch          bigint      NOT NULL CHECK (epoch > 0),
  -- A rebuild of Redis has begun in this epoch and has not ended.
  rebuilding     boolean     NOT NULL DEFAULT false,
  opened_run_id  text,
  opened_at      timestamptz
);

-- What the roles could do before, and the fence.
ALTER FUNCTION grant_stock_rights() RENAME TO grant_stock_rights_3;
CREATE FUNCTION grant_stock_rights() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM grant_stock_rights_3();
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'stock_reader') THEN
    GRANT SELECT ON fence TO stock_reader;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'stock_worker') THEN
    GRANT SELECT, INSERT, UPDATE ON fence TO stock_worker;
  END IF;
END
$$;
SELECT grant_stock_rights();
