-- What lists for a person are read by: the holds of a user, of a SKU, of a time, and what has moved a
-- SKU's stock from outside.  None has the status in it: an update of it would then touch every index.
CREATE INDEX holds_user ON holds (user_id, created_at);
CREATE INDEX holds_sku ON holds (sku, created_at);
CREATE INDEX holds_created ON holds (created_at);
CREATE INDEX stock_movements_orders ON stock_movements (sku, stream_ms, stream_seq)
  WHERE hold_id IS NULL;
