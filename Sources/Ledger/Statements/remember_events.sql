-- The events that are new; how many rows it inserts says how many there are.  Of two workers with the
-- same event the second waits for the first, and then finds that it is known.
INSERT INTO processed_events (event_id, event_type, event_time, stream_ms, stream_seq)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[])
ON CONFLICT (event_id, event_time) DO NOTHING
