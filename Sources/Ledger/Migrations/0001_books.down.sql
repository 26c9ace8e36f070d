-- Takes the books away, with everything in them.
DROP TABLE orders, holds, processed_events, stock_movements;
DROP FUNCTION add_processed_events_day(date);
DROP FUNCTION refuse_change();
