DROP FUNCTION grant_stock_rights();
ALTER FUNCTION grant_stock_rights_3() RENAME TO grant_stock_rights;
DROP TABLE fence;
