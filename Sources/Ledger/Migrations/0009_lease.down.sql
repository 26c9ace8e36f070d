DROP FUNCTION require_opened(text);
ALTER TABLE fence DROP COLUMN lease_ends_at, DROP COLUMN seen_by, DROP COLUMN seen_at;
