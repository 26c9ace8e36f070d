-- Two logins for the worker, whose passwords take turns (infra/PASSWORDS.md), since PostgreSQL knows one
-- password a role.  As a superuser, after roles.sql; repeating it does no harm:
--
--   psql -d stockstream -f infra/postgres/logins.sql
--
-- Who logs in as stock_worker_a or stock_worker_b is stock_worker from then on: with its rights, and what it
-- makes belongs to stock_worker.  For a worker of another name: psql -v role=NAME.
\set ON_ERROR_STOP on
\if :{?role}
\else
  \set role stock_worker
\endif

SELECT format('CREATE ROLE %I LOGIN IN ROLE %I', name, :'role')
FROM unnest(ARRAY[:'role' || '_a', :'role' || '_b']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

SELECT format('ALTER ROLE %I SET role = %L', name, :'role')
FROM unnest(ARRAY[:'role' || '_a', :'role' || '_b']) AS name \gexec
