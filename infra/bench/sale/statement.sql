\set user random(1, 1000000000)
WITH taken AS (
  UPDATE stock SET qty = qty - 1 WHERE sku = 'sku-0000000000000000' AND qty >= 1 RETURNING sku
)
INSERT INTO holds (sku, qty, user_id, expires_at)
  SELECT sku, 1, 'user-' || :user, now() + interval '10 minutes' FROM taken;
