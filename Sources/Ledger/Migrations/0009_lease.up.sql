-- Which Redis is open to the sale is decided here: one at a time, and where it has replicas only for as long
-- as the opening is renewed.  infra/postgres/README.md explains every column.
ALTER TABLE fence
  -- No other Redis is opened before; NULL: the opening does not end by itself.
  ADD COLUMN lease_ends_at timestamptz,
  -- The worker that has seen the opened Redis last, and when; NULL: it was opened by an older version.
  ADD COLUMN seen_by text,
  ADD COLUMN seen_at timestamptz;

-- Refuses to write into the books what comes from another Redis than the one that is open: the lock keeps
-- another from being opened until the transaction has ended.  Books that know of no opening take all.
CREATE FUNCTION require_opened(run_id text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(7421, 1);
  IF EXISTS (SELECT FROM fence WHERE opened_run_id <> run_id) THEN
    RAISE EXCEPTION 'another Redis is the one that is open to the sale' USING ERRCODE = 'ST001';
  END IF;
END
$$;
