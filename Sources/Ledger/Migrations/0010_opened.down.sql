CREATE OR REPLACE FUNCTION require_opened(run_id text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(7421, 1);
  IF EXISTS (SELECT FROM fence WHERE opened_run_id <> run_id) THEN
    RAISE EXCEPTION 'another Redis is the one that is open to the sale' USING ERRCODE = 'ST001';
  END IF;
END
$$;
