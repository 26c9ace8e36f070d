-- Role and database of stockworker, which makes its tables by itself.  Once, as a superuser:
--
--   sudo -u postgres psql -f /usr/share/doc/stockstream/examples/postgres.sql
--
-- On the same machine no password is needed: PostgreSQL trusts the user `stockstream` of the
-- system on its Unix socket (the line `local all all peer` of Debian's pg_hba.conf).  From
-- another machine: ALTER ROLE stockstream PASSWORD '…', a line in pg_hba.conf, and DATABASE_URL
-- in /etc/default/stockworker.
\set ON_ERROR_STOP on

CREATE ROLE stockstream LOGIN;
CREATE DATABASE stockstream OWNER stockstream ENCODING 'UTF8' TEMPLATE template0;

-- Nobody else reads the books, unless you say so.
REVOKE ALL ON DATABASE stockstream FROM PUBLIC;
