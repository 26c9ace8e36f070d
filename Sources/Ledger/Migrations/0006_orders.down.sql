-- Back to books that know neither who nor why, but for corrections.  An adjustment and a retirement
-- become the STOCK_SET that would have left the same figures; extensions moved nothing, and go.
ALTER TABLE stock_movements
  DROP CONSTRAINT stock_movements_effect,
  DROP CONSTRAINT stock_movements_origin,
  DROP CONSTRAINT stock_movements_attribution;
ALTER TABLE stock_movements DISABLE TRIGGER stock_movements_append_only;
DELETE FROM stock_movements WHERE cause = 'HOLD_EXTENDED';
UPDATE stock_movements SET cause = 'STOCK_SET' WHERE cause IN ('STOCK_ADJUSTED', 'STOCK_RETIRED');
UPDATE stock_movements SET actor = NULL, reason = NULL
WHERE num_nonnulls(actor, reason) > 0 AND cause NOT IN ('HOLD_CORRECTED', 'STOCK_CORRECTED');
ALTER TABLE stock_movements ENABLE TRIGGER stock_movements_append_only;
ALTER TABLE stock_movements
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
    WHEN 'HOLD_CORRECTED' THEN
      available_delta + held_delta + sold_delta = 0 AND supplied_delta = 0
    WHEN 'STOCK_SET' THEN
      available_delta = supplied_delta AND held_delta = 0 AND sold_delta = 0
    WHEN 'STOCK_ADOPTED' THEN
      available_delta = supplied_delta AND held_delta = 0 AND sold_delta = 0
    WHEN 'STOCK_CORRECTED' THEN
      available_delta + held_delta + sold_delta = supplied_delta
    ELSE false
    END),
  ADD CONSTRAINT stock_movements_origin CHECK (
    CASE WHEN hold_id IS NOT NULL
    THEN cause LIKE 'HOLD\_%'
      AND num_nonnulls(available, held, sold, supplied, request_id) = 0
    ELSE cause LIKE 'STOCK\_%'
      AND num_nulls(available, held, sold, supplied) = 0
      AND available + held + sold = supplied
      AND supplied_delta BETWEEN supplied - 1000000000000 AND supplied
      AND (cause = 'STOCK_SET') = (request_id IS NOT NULL)
    END),
  ADD CONSTRAINT stock_movements_correction CHECK (
    CASE WHEN cause IN ('HOLD_CORRECTED', 'STOCK_CORRECTED')
    THEN num_nulls(actor, reason, found) = 0
    ELSE num_nonnulls(actor, reason, found) = 0
    END);
