-- Which of these events are new?  The answer and the rows of the new ones are one step, so that of
-- two workers with the same event the second waits for the first, and then hears that it is known.
INSERT INTO processed_events (event_id, event_type, event_time, stream_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[])
ON CONFLICT (event_id, event_time) DO NOTHING
RETURNING event_id, event_time
