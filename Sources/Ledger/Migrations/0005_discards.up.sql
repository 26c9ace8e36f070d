-- Dead letters that somebody has discarded, with who and why.  infra/postgres/README.md explains every
-- column.
CREATE TABLE discarded_letters (
  event_id     text        COLLATE "C" NOT NULL CHECK (event_id <> ''),
  letter       text        COLLATE "C" NOT NULL CHECK (letter LIKE '%-%'),
  event_type   text        NOT NULL,
  event        bytea       NOT NULL,
  dead_reason  text        NOT NULL,
  attempts     integer     NOT NULL CHECK (attempts >= 0),
  actor        text        NOT NULL CHECK (actor <> ''),
  peer         text        NOT NULL,
  reason       text        NOT NULL CHECK (reason <> ''),
  discarded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (event_id, letter)
);
CREATE TRIGGER discarded_letters_append_only
  BEFORE UPDATE OR DELETE OR TRUNCATE ON discarded_letters
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What the roles could do before, and this.
ALTER FUNCTION grant_stock_rights() RENAME TO grant_stock_rights_4;
CREATE FUNCTION grant_stock_rights() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM grant_stock_rights_4();
  REVOKE ALL ON FUNCTION grant_stock_rights() FROM PUBLIC;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'stock_reader') THEN
    GRANT SELECT ON discarded_letters TO stock_reader;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'stock_worker') THEN
    GRANT SELECT, INSERT ON discarded_letters TO stock_worker;
  END IF;
END
$$;
SELECT grant_stock_rights();
