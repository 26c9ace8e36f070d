DROP INDEX holds_user, holds_sku, holds_created, stock_movements_orders;
