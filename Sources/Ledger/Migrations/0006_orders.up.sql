-- Changes of stock that a person asks for, with who and why; holds that are extended, or released by
-- a person.  infra/postgres/README.md explains every column.
ALTER TABLE stock_movements
  DROP CONSTRAINT stock_movements_effect,
  DROP CONSTRAINT stock_movements_origin,
  DROP CONSTRAINT stock_movements_correction,
  -- An extension and a retirement move nothing; their rows are there for the history.
  ADD CONSTRAINT stock_movements_effect CHECK (
    CASE cause
    WHEN 'HOLD_CREATED' THEN
      held_delta BETWEEN 1 AND 1000000 AND available_delta = -held_delta
      AND sold_delta = 0 AND supplied_delta = 0
    WHEN 'HOLD_CONFIRMED' THEN
      sold_delta BETWEEN 1 AND 1000000 AND held_delta = -sold_delta
      AND available_delta = 0 AND supplied_delta = 0
    WHEN 'HOLD_CANCELLED' THEN
      available_delta BETWEEN 1 AND 1000000 AND held_delta = -available_delta
      AND sold_delta = 0 AND supplied_delta = 0
    WHEN 'HOLD_EXPIRED' THEN
      available_delta BETWEEN 1 AND 1000000 AND held_delta = -available_delta
      AND sold_delta = 0 AND supplied_delta = 0
    WHEN 'HOLD_EXTENDED' THEN
      available_delta = 0 AND held_delta = 0 AND sold_delta = 0 AND supplied_delta = 0
    WHEN 'HOLD_CORRECTED' THEN
      available_delta + held_delta + sold_delta = 0 AND supplied_delta = 0
    WHEN 'STOCK_SET' THEN
      available_delta = supplied_delta AND held_delta = 0 AND sold_delta = 0
    WHEN 'STOCK_ADJUSTED' THEN
      available_delta = supplied_delta AND held_delta = 0 AND sold_delta = 0
    WHEN 'STOCK_RETIRED' THEN
      available_delta = 0 AND held_delta = 0 AND sold_delta = 0 AND supplied_delta = 0
    WHEN 'STOCK_ADOPTED' THEN
      available_delta = supplied_delta AND held_delta = 0 AND sold_delta = 0
    WHEN 'STOCK_CORRECTED' THEN
      available_delta + held_delta + sold_delta = supplied_delta
    ELSE false
    END),
  -- A hold's movement names its hold; a change from outside says which figures it left behind.
  ADD CONSTRAINT stock_movements_origin CHECK (
    CASE WHEN hold_id IS NOT NULL
    THEN cause LIKE 'HOLD\_%'
      AND num_nonnulls(available, held, sold, supplied, request_id) = 0
    ELSE cause LIKE 'STOCK\_%'
      AND num_nulls(available, held, sold, supplied) = 0
      AND available + held + sold = supplied
      AND supplied_delta BETWEEN supplied - 1000000000000 AND supplied
      AND (cause IN ('STOCK_SET', 'STOCK_ADJUSTED', 'STOCK_RETIRED')) = (request_id IS NOT NULL)
    END),
  -- Whoever corrects says all of it; a person who changes stock or releases a hold may.
  ADD CONSTRAINT stock_movements_attribution CHECK (
    CASE
    WHEN cause IN ('HOLD_CORRECTED', 'STOCK_CORRECTED') THEN num_nulls(actor, reason, found) = 0
    WHEN cause IN ('STOCK_SET', 'STOCK_ADJUSTED', 'STOCK_RETIRED', 'HOLD_CANCELLED')
      THEN found IS NULL
    ELSE num_nonnulls(actor, reason, found) = 0
    END);
