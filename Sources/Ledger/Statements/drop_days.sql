-- The day in days since 1970-01-01, UTC.
SELECT drop_processed_events_days(DATE '1970-01-01' + day) FROM unnest($1::integer[]) AS day
