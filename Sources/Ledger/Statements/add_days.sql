-- Days since 1970-01-01, UTC.
SELECT add_processed_events_day(DATE '1970-01-01' + day) FROM unnest($1::integer[]) AS day
