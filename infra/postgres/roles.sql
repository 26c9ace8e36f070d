-- The three roles of the books, each with no more rights than it needs.  As a superuser, in the
-- database of the books; repeating it does no harm:
--
--   psql -d stockstream -f infra/postgres/roles.sql
--
--   stock_owner   owns the tables and changes them: `stockworker --migrate-to latest`
--   stock_worker  adds rows and ends holds: the running worker
--   stock_reader  reads
--
-- They have no password: give them one (\password stock_worker), or trust the system's users by
-- pg_hba.conf.  Where a role of another name made the tables: REASSIGN OWNED BY … TO stock_owner.
\set ON_ERROR_STOP on

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['stock_owner', 'stock_worker', 'stock_reader']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

SELECT current_database() AS books \gset
REVOKE ALL ON DATABASE :"books" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"books" TO stock_worker, stock_reader;
ALTER DATABASE :"books" OWNER TO stock_owner;

-- Tables that are there already; the next migrations do it by themselves.
SELECT 'SELECT grant_stock_rights()'
WHERE to_regprocedure('grant_stock_rights()') IS NOT NULL \gexec
