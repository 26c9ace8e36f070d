DROP FUNCTION grant_stock_rights();
ALTER FUNCTION grant_stock_rights_4() RENAME TO grant_stock_rights;
DROP TABLE discarded_letters;
