-- Letters that somebody discards, before they go.  Doing so again changes nothing.
INSERT INTO discarded_letters (
  event_id, letter, event_type, event, dead_reason, attempts, actor, peer, reason)
SELECT * FROM unnest(
  $1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::integer[], $7::text[],
  $8::text[], $9::text[])
ON CONFLICT (event_id, letter) DO NOTHING
